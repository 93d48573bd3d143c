-- PostgreSQL 18 finds a symbol in an index that begins with the week and the tier: it skips from one to the next. The
-- index that begins with the symbol cost a fourth of the time in which records come in, and a third of the room.
do $$
begin
    if current_setting('server_version_num')::int >= 180000 then
        drop index otc.volume_record_symbol;
    end if;
end
$$;

drop index otc.volume_record_ended;
create index volume_record_ended on otc.volume_record (week_ending, tier, symbol) where ended_by is not null;
