-- name: note_deferred_change
-- Note a change of a week, from which follows which weeks of the deferred metrics are incomplete.
insert into otc_internal.deferred_change (week_ending, metric, reach)
select %(week)s, m.metric, m.reach
from unnest(%(metrics)s::text[], %(reaches)s::int[]) as m (metric, reach);

-- name: spread_deferred_changes
-- Put the incomplete weeks in place of the changes from which they follow. A week that is being completed meanwhile is waited
-- for, and is incomplete again.
with change as (
    delete from otc_internal.deferred_change returning week_ending, metric, reach
),
week as (
    select week_ending from otc.capture where persisted_at is not null
    union
    select week_ending from change
)
insert into otc_internal.deferred_week (week_ending, metric)
select w.week_ending, d.metric
from change as d
inner join week as w on w.week_ending between d.week_ending and d.week_ending + 7 * d.reach
group by w.week_ending, d.metric
order by w.week_ending, d.metric
on conflict (week_ending, metric) do update set metric = excluded.metric;

-- name: incomplete_weeks
-- Incomplete weeks of deferred metrics, the oldest first: all, or those whose earlier weeks have settled, so that no run of
-- the pipeline is to change what they read.
select d.week_ending, m.metric
from otc_internal.deferred_week as d
inner join unnest(%(metrics)s::text[], %(reaches)s::int[]) with ordinality as m (metric, reach, place) on m.metric = d.metric
where
    d.week_ending between %(first)s and %(last)s
    and (
        not %(settled)s
        or not exists (
            select from otc_internal.table_run as r
            where
                r.state in ('queued', 'running')
                and r.week_ending between d.week_ending - 7 * m.reach and d.week_ending
        )
    )
order by d.week_ending, m.place;

-- name: take_incomplete_week
-- Lock an incomplete week of a metric; no row where another completed it.
select week_ending from otc_internal.deferred_week where week_ending = %(week)s and metric = %(metric)s for update;

-- name: are_weeks_due
-- Whether a metric of some weeks is due.
select exists (select from otc_internal.metric_due where week_ending between %(first)s and %(last)s) as is_due;

-- name: lock_stored
-- Wait until no other transaction stores a week's metrics over stored rows.
select pg_advisory_xact_lock(%(space)s, date '2000-01-01' - %(week)s::date - 1);

-- name: complete_week
-- A week of a deferred metric is complete.
delete from otc_internal.deferred_week where week_ending = %(week)s and metric = %(metric)s;

-- name: incomplete_metrics
-- Deferred metrics of some weeks that are incomplete.
select metric, count(*) as weeks, min(week_ending) as first_week, max(week_ending) as last_week
from otc.incomplete_week
where week_ending between %(first)s and %(last)s
group by metric
order by metric;

-- name: incomplete_by_week
-- Metrics that are to be completed, by week.
select week_ending, array_agg(metric order by metric) as metrics
from otc.incomplete_week
where week_ending between %(first)s and %(last)s
group by week_ending
order by week_ending;
