-- name: coverage
-- For each partition: whether both venue types are covered, how often its content changed between captures of one kind, and
-- whether its metrics are due while no run computes them, or were made by older code.
with observed as (
    select
        week_ending,
        tier,
        covers,
        digest <> lag(digest) over (partition by week_ending, tier, covers order by observed_at, fetched_key) as is_changed
    from otc.capture
    where persisted_at is not null and otc.is_partition(week_ending, tier)
),
old as (
    select week_ending
    from otc.stage_run
    where stage = 'compute' and state = 'done'
    group by week_ending
    having max(code_version) < %(code_version)s
),
waiting as (
    select d.week_ending
    from otc_internal.metric_due as d
    where not exists (
        select from otc_internal.table_run as r
        where
            (r.state in ('queued', 'running') and r.week_ending between d.week_ending - 7 * %(reach)s::int and d.week_ending)
            or (r.state = 'held' and r.week_ending = d.week_ending)
    )
)
select
    week_ending,
    tier,
    bool_or(covers = 'all') as covers_all,
    count(*) filter (where is_changed) as restated,
    week_ending in (select week_ending from old union all select week_ending from waiting) as is_stale
from observed
group by week_ending, tier;
