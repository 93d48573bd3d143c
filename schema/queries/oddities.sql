-- name: impossible_runs
-- Runs of partitions that cannot exist, or whose week has not ended, without a capture.
select r.stage, r.key
from otc.stage_run as r
where
    (otc.is_partition(r.week_ending, r.tier) is not true or r.week_ending > %(today)s)
    and not exists (select from otc.capture as c where c.week_ending = r.week_ending and c.tier = r.tier)
order by r.key, r.stage;

-- name: drop_impossible_runs
-- Delete the runs of `impossible_runs` that no worker holds.
delete from otc.stage_run as r
where
    (otc.is_partition(r.week_ending, r.tier) is not true or r.week_ending > %(today)s)
    and not exists (select from otc.capture as c where c.week_ending = r.week_ending and c.tier = r.tier)
    and not (r.state = 'running' and r.lease_until > now());

-- name: clocks_set_back
-- Observations whose rows were updated later than those of an observation that carries a later time: of the same
-- partition and cover, and with at least half as many records, since one that was cut short may lack the newest rows.
-- Captures that are in before this was noted have no newest update, and are passed over.
select c.week_ending, c.tier, c.observed_at, c.newest_update
from otc.capture as c
where
    c.persisted_at is not null and otc.is_partition(c.week_ending, c.tier)
    and exists (
        select from otc.capture as l
        where
            l.persisted_at is not null and l.week_ending = c.week_ending and l.tier = c.tier and l.covers = c.covers
            and (l.observed_at, l.fetched_key) > (c.observed_at, c.fetched_key)
            and l.newest_update < c.newest_update and 2 * l.records >= c.records
    )
order by c.week_ending, array_position(array['T1', 'T2', 'OTCE'], c.tier), c.observed_at;

-- name: neighbouring_sizes
-- How many ATS records the observations just before and just after a moment have: those of one that covers all are
-- counted among the current records.
with neighbour as (
    (
        select covers, records, observed_at from otc.capture
        where week_ending = %(week_ending)s and tier = %(tier)s and persisted_at is not null and observed_at < %(moment)s
        order by observed_at desc limit 1
    )
    union all
    (
        select covers, records, observed_at from otc.capture
        where week_ending = %(week_ending)s and tier = %(tier)s and persisted_at is not null and observed_at > %(moment)s
        order by observed_at limit 1
    )
)
select
    observed_at,
    case
        when covers = 'ats' then records
        else (
            select count(*) from otc_internal.volume_record as r
            where
                r.week_ending = %(week_ending)s and r.tier = %(tier)s and r.closed_by is null and r.venue_type = 'ATS'
        )
    end as records
from neighbour
order by observed_at;
