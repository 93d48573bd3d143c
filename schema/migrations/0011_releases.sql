-- A worker that is older than the schema may claim no run, whatever it knows: it takes the error for an outage and waits.

create function otc_internal.require_release() returns trigger
language plpgsql
as $$
declare
    newest text := (select max(name collate "C") from otc.migration);
begin
    if coalesce(current_setting('otcpipe.release', true), '') collate "C" < newest then
        raise exception using
            errcode = 'object_not_in_prerequisite_state',
            message = format('a newer release of otcpipe migrated the database (%s): install that release here', newest);
    end if;
    return new;
end
$$;
comment on function otc_internal.require_release() is
'A session names the newest migration that its release knows in the setting otcpipe.release.';

create trigger require_release before insert or update of worker on otc.stage_run
for each row when (new.state = 'running') execute function otc_internal.require_release();
