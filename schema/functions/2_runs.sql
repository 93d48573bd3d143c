-- The runs on which the tables depend. Those of publish only read the tables: a partition is done without them, and nothing
-- waits for them.
create or replace view otc_internal.table_run as
select week_ending, tier, stage, key, generation, state, reason, attempts, lease_until, queued_at, started_at, finished_at
from otc.stage_run
where stage <> 'publish';
