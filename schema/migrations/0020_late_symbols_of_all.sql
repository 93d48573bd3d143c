-- A worker of an older release that had claimed a run before the migration that added the column could store a capture without
-- it. From now on a session of an older release makes no record count, whenever it claimed its run.
create or replace trigger require_release before update of persisted_at on otc.capture
for each statement when (current_setting('application_name') = 'otcpipe')
execute function otc_internal.require_release();

create temporary table missing on commit drop as
select o.capture_id, o.is_first, o.is_first_of_all, o.published_on
from otc.capture_order as o
inner join otc.capture as c on c.capture_id = o.capture_id
where c.late_symbols is null;
analyze missing;

update otc.capture as c
set late_symbols = coalesce(
    (
        select array_agg(distinct r.symbol)
        from otc_internal.volume_record as r
        where
            r.week_ending = c.week_ending and r.tier = c.tier and r.opened_by = c.capture_id and r.symbol is not null
            and (
                not case when r.venue_type = 'ATS' then m.is_first else m.is_first_of_all end
                or r.published_on <> m.published_on
                or r.updated_on is distinct from m.published_on
            )
    ),
    '{}'
)
from missing as m
where c.capture_id = m.capture_id;
