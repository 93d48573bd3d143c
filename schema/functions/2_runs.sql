-- The runs on which the tables depend. Those of publish only read the tables: nothing waits for them.
create or replace view otc_internal.table_run as
select week_ending, tier, stage, key, generation, state, reason, attempts, lease_until, queued_at, started_at, finished_at
from otc.stage_run
where stage <> 'publish';

-- A release that is older than the schema may neither request runs nor fire the jobs of its scheduler. It does not know what
-- they would need: its requests would make what newer code made again, and its calendar may be the older one. Sessions of
-- people are let through.
create or replace trigger require_release_to_request before insert or delete or update of queued_at on otc.stage_run
for each statement when (current_setting('application_name') = 'otcpipe')
execute function otc_internal.require_release();

create or replace trigger require_release before insert on otc_internal.schedule_fire
for each statement when (current_setting('application_name') = 'otcpipe')
execute function otc_internal.require_release();
