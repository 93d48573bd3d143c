-- name: run_figures
-- Runs of each stage by state, and the seconds since the oldest of them was asked for; a void lease is waiting work.
with run as (
    select
        stage,
        queued_at,
        case when state = 'running' and lease_until < now() then 'queued' else state end as state
    from otc.stage_run
)
select stage, state, count(*) as runs, extract(epoch from now() - min(queued_at))::float as oldest_seconds
from run
group by stage, state;

-- name: stage_durations
-- How long the last attempts of runs took that ended within a week.
select
    stage,
    quantile,
    percentile_cont(quantile) within group (order by extract(epoch from finished_at - started_at)::float) as seconds
from otc.stage_run
cross join unnest(%(quantiles)s::float[]) as quantile
where state = 'done' and finished_at > now() - interval '7 days' and started_at is not null
group by stage, quantile;

-- name: row_figures
-- What all captures together held.
select
    tier,
    count(*) as captures,
    coalesce(sum(records), 0)::bigint as records,
    coalesce(sum(totals), 0)::bigint as totals,
    coalesce(sum(rejects), 0)::bigint as rejects
from otc.capture
group by tier;

-- name: open_letters
-- Open dead letters by stage.
select queue as stage, count(*) as letters
from otc.letter
where state = 'open'
group by queue;

-- name: newest_grades
-- The newest grade of each tier.
select distinct on (tier) tier, grade, score
from otc.weekly_quality
where otc.is_partition(week_ending, tier)
order by tier, week_ending desc;
