-- name: mark_due
-- The week, loaded or no longer, and the later weeks with captures that each metric reaches. Existing marks are locked: a
-- transaction that takes one waits until this change is committed.
insert into otc_internal.metric_due (week_ending, metric, over_stored)
select p.week_ending, m.metric, m.over_stored
from unnest(%(metrics)s::text[], %(over_stored)s::boolean[], %(reaches)s::int[]) as m (metric, over_stored, reach)
inner join (select week_ending from otc.capture where persisted_at is not null union select %(week)s::date) as p
    on p.week_ending between %(week)s and %(week)s::date + 7 * m.reach
order by p.week_ending, m.metric, m.over_stored
on conflict (week_ending, metric, over_stored) do update set metric = excluded.metric;

-- name: other_metrics
-- Metrics that the database knows and this process does not, and the other way round.
select metric, metric <> all(%(metrics)s::text[]) as is_removed
from (
    select metric from otc_internal.known_metric
    union
    select unnest(%(metrics)s::text[])
) as m
where
    metric <> all(%(metrics)s::text[])
    or metric not in (select k.metric from otc_internal.known_metric as k)
order by metric;

-- name: lock_known_metrics
-- Wait for transactions that marked what a week affects by the metrics so far, and keep others from doing so.
lock table otc_internal.known_metric in access exclusive mode;

-- name: forget_metrics
-- All but these metrics: nothing of them is due, and should one return, all of it is.
with mark as (
    delete from otc_internal.metric_due where metric <> all(%(metrics)s::text[])
),
week as (
    delete from otc_internal.deferred_week where metric <> all(%(metrics)s::text[])
),
change as (
    delete from otc_internal.deferred_change where metric <> all(%(metrics)s::text[])
),
history as (
    delete from otc_internal.history_week where metric <> all(%(metrics)s::text[])
)
delete from otc_internal.known_metric where metric <> all(%(metrics)s::text[]);

-- name: mark_new
-- Metrics that are new, which become due in all loaded weeks.
with new as (
    select m.metric, m.over_stored, m.is_deferred
    from unnest(%(metrics)s::text[], %(over_stored)s::boolean[], %(deferred)s::boolean[]) as m (metric, over_stored, is_deferred)
    where m.metric not in (select k.metric from otc_internal.known_metric as k)
),
week as (
    select distinct week_ending from otc.capture where persisted_at is not null
),
due as (
    insert into otc_internal.metric_due (week_ending, metric, over_stored)
    select w.week_ending, n.metric, n.over_stored
    from new as n
    cross join week as w
    where not n.is_deferred
    order by w.week_ending, n.metric, n.over_stored
    on conflict do nothing
),
deferred as (
    insert into otc_internal.deferred_week (week_ending, metric)
    select w.week_ending, n.metric
    from new as n
    cross join week as w
    where n.is_deferred
    on conflict do nothing
),
known as (
    insert into otc_internal.known_metric (metric)
    select distinct metric from new
    on conflict do nothing
    returning metric
)
select k.metric, (select count(*) from week) as weeks from known as k order by k.metric;

-- name: coming
-- Partitions of the week, all or other than one, with records on their way: one computation for all of them is enough. What
-- was queued long ago may be lost, and is not waited for; but fetches of a long queue are as long as some of them come to an end.
select distinct tier
from otc.stage_run
where
    week_ending = %(week)s and tier is distinct from %(tier)s
    and stage in ('fetch', 'cache', 'parse', 'normalize', 'persist') and attempts <= 3
    and (
        (state = 'running' and lease_until > now())
        or (
            state = 'queued'
            and now() - interval '10 minutes' < greatest(
                queued_at,
                case when stage = 'fetch' then (select max(f.finished_at) from otc.stage_run as f where f.stage = 'fetch') end
            )
        )
    );

-- name: due_weeks
-- Weeks with metrics that are due, and whether metrics of later weeks read one of these. Those over stored rows only where the
-- weeks that they read have settled, `reach` weeks back.
select
    d.week_ending, d.over_stored, bool_or(d.over_stored and d.metric = any(%(read)s::text[])) as is_read,
    coalesce(max(s.reach), 0) as reach
from otc_internal.metric_due as d
left join otc_internal.settled_metrics(%(first)s, %(last)s, %(metrics)s, %(reaches)s, %(reads)s) as s
    on d.over_stored and s.week_ending = d.week_ending and s.metric = d.metric
where
    d.week_ending between %(first)s and %(last)s and (s.metric is not null or not d.over_stored)
    and d.metric = any(%(known)s::text[])
group by d.week_ending, d.over_stored
order by d.week_ending, d.over_stored;

-- name: settled_metrics
-- Metrics over stored rows of which all that they read for a week has settled.
select metric from otc_internal.settled_metrics(%(week)s, %(week)s, %(metrics)s, %(reaches)s, %(reads)s) where reach <= %(reach)s;

-- name: try_records
-- Lock the metrics of a week's records, if no other transaction has them.
select pg_try_advisory_xact_lock(%(space)s, %(week)s::date - date '2000-01-01') as is_locked;

-- name: try_stored
-- Lock a week's metrics over stored rows, and keep others from computing the records of the weeks that it reads.
select
    pg_try_advisory_xact_lock(%(space)s, date '2000-01-01' - %(week)s::date - 1)
    and bool_and(pg_try_advisory_xact_lock_shared(%(space)s, %(week)s::date - 7 * back - date '2000-01-01')) as is_locked
from generate_series(0, %(reach)s::int) as back;

-- name: lock_week
-- Wait for both locks, in ascending order, so that no two transactions wait for each other.
select
    case
        when back = 0 then pg_advisory_xact_lock(%(space)s, %(week)s::date - date '2000-01-01')
        when back < 0 then pg_advisory_xact_lock(%(space)s, date '2000-01-01' - %(week)s::date - 1)
        else pg_advisory_xact_lock_shared(%(space)s, %(week)s::date - 7 * back - date '2000-01-01')
    end
from generate_series(%(reach)s::int, -1, -1) as back;

-- name: take_due
-- Delete what is due of a week, all or some metrics, and return it. Rows are locked in the order in which they are marked.
with taken as (
    select metric
    from otc_internal.metric_due
    where
        week_ending = %(week)s and over_stored = %(over_stored)s
        and metric = any(%(metrics)s)
    order by metric
    for update
)
delete from otc_internal.metric_due as d using taken as t
where d.week_ending = %(week)s and d.metric = t.metric and d.over_stored = %(over_stored)s
returning d.metric;

-- name: note_computation
-- Note that metrics of a week were computed: their rows are committed, or are with this.
insert into otc_internal.week_computation (week_ending, computed_at) values (%(week)s, clock_timestamp())
on conflict (week_ending) do update set computed_at = excluded.computed_at;

-- name: plan_for_a_week
-- A table that was not analyzed since its weeks came looks empty, and a nested loop over a whole week looks cheap: a
-- capture right after the first load of its quarter took minutes. One that was looks as if a week were most of it, and
-- to read all of it looks cheap: the index leads to the week alone, however many weeks the table has.
select
    set_config('enable_nestloop', 'off', true),
    set_config('enable_indexscan', 'on', true),
    set_config('enable_seqscan', 'off', true),
    set_config('enable_bitmapscan', 'off', true),
    set_config('jit', 'off', true), -- what is discouraged counts as costly, and would be compiled
    set_config('work_mem', '128MB', true); -- a week fits

-- name: plan_in_order
-- The index has the records in the order of symbols; statistics do not show that sorting is not worth it.
select set_config('enable_sort', 'off', true);

-- name: multi_record_symbols
-- Symbols of which a venue may have several records: those on several tiers, or with several products or names; and those
-- of a venue that has several names or numbers in the week and several records of them.
with renamed as (
    select venue_type, mpid, case when mpid is null then firm_crd end as number
    from otc_internal.volume_record
    where week_ending = %(week)s and closed_by is null and (mpid is not null or firm_crd is not null)
    group by 1, 2, 3
    having
        min(coalesce(venue_name_id, 0)) < max(coalesce(venue_name_id, 0))
        or min(coalesce(firm_crd, -1)) < max(coalesce(firm_crd, -1))
)
select symbol
from (
    select
        symbol,
        min(coalesce(issue_name_id, 0)) < max(coalesce(issue_name_id, 0))
        or min(coalesce(product_type, '')) < max(coalesce(product_type, '')) as is_multi_record
    from otc_internal.volume_record
    where week_ending = %(week)s and closed_by is null and symbol is not null
    group by week_ending, tier, symbol
) as on_tier
group by symbol
having bool_or(is_multi_record) or count(*) > 1
union
select r.symbol
from otc_internal.volume_record as r
inner join renamed as v
    on v.venue_type = r.venue_type
    and coalesce(v.mpid, '') = coalesce(r.mpid, '')
    and coalesce(v.number, -1) = coalesce(case when r.mpid is null then r.firm_crd end, -1)
where r.week_ending = %(week)s and r.closed_by is null and r.symbol is not null
group by r.tier, r.symbol, v.venue_type, v.mpid, v.number
having count(*) > 1;

-- name: wait_long
-- Let the transaction idle while parallel transactions do its work.
set local idle_in_transaction_session_timeout = '1 h';

-- name: transaction_id
-- Identity of the transaction, by which others see whether it still runs.
select pg_current_xact_id()::text as transaction_id;

-- name: wait_for_lanes
-- Wait until no parallel transaction of the week's computation runs.
select pg_advisory_xact_lock(%(space)s, %(week)s::date - date '2000-01-01');

-- name: enter_lane
-- Join the parallel transactions of the week's computation.
select pg_advisory_xact_lock_shared(%(space)s, %(week)s::date - date '2000-01-01');

-- name: is_running
-- Whether a transaction still runs.
select pg_xact_status(%(transaction_id)s::xid8) = 'in progress' as is_running;

-- name: sum_up_symbols_of_tier
-- Sums by symbol of one tier, without the symbols of several records.
insert into otc_internal.symbol_sum
select * from otc_internal.symbols_as_of(null, %(week)s, %(week)s, %(multi_record)s, %(tier)s)
where week_ending = %(week)s and tier = %(tier)s;

-- name: plan_by_groups
-- Venues are few, which statistics do not show.
select set_config('enable_incremental_sort', 'off', true);

-- name: sum_up_venues_of_tier
-- Sums by venue of one tier, without the symbols of several records.
insert into otc_internal.venue_sum
select * from otc_internal.venues_as_of(null, %(week)s, %(week)s, %(multi_record)s, %(tier)s)
where week_ending = %(week)s and tier = %(tier)s;

-- name: sum_up_symbols_of_multi_record
-- Sums by symbol of the symbols of several records.
insert into otc_internal.symbol_sum
select * from otc_internal.symbols_as_of(null, %(week)s, %(week)s, %(multi_record)s, null)
where week_ending = %(week)s and symbol = any(%(multi_record)s);

-- name: sum_up_venues_of_multi_record
-- Sums by venue of the symbols of several records.
insert into otc_internal.venue_sum select * from otc_internal.venues_as_of(null, %(week)s, %(week)s, %(multi_record)s, null);

-- name: delete_symbol_sums
-- Delete a week's sums by symbol.
delete from otc_internal.symbol_sum where week_ending = %(week)s;

-- name: delete_venue_sums
-- Delete a week's sums by venue.
delete from otc_internal.venue_sum where week_ending = %(week)s;

-- name: vacuum_sums
-- Free the rows of deleted sums, which the next week's metrics would have to skip.
vacuum (skip_locked) otc_internal.symbol_sum, otc_internal.venue_sum;

-- name: store_metric
-- Store a week of a metric; returns the number of rows that changed.
select otc_internal.store_metric(%(metric)s, %(week)s, %(lookback)s) as changed;
