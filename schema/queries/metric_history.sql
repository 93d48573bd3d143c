-- name: create_history
-- Create the tables and views of the metrics' histories.
select otc_internal.create_history(m), otc_internal.create_functions(m, %(metrics)s::text[])
from unnest(%(metrics)s::text[]) as m;

-- name: stale_histories
-- Weeks whose history of a metric is to be built, without those whose metric is due itself. Of some metrics, weeks before are read.
select w.week_ending, m.metric
from (select distinct week_ending from otc.capture where persisted_at is not null) as w
inner join unnest(%(metrics)s::text[], %(weeks_read)s::int[]) with ordinality as m (metric, weeks_read, place)
    on w.week_ending between %(first)s::date - 7 * m.weeks_read and %(last)s
where
    not exists (select from otc_internal.history_week as h where h.metric = m.metric and h.week_ending = w.week_ending)
    and not exists (select from otc_internal.metric_due as d where d.metric = m.metric and d.week_ending = w.week_ending)
    and not exists (select from otc.incomplete_week as d where d.metric = m.metric and d.week_ending = w.week_ending)
order by w.week_ending, m.place;

-- name: weeks_without_history
-- Weeks that have no history of a metric now: it is due, or was made so since it was built. A deferred one that is to be
-- completed has none in its table either.
select w.week_ending
from (select distinct week_ending from otc.capture where persisted_at is not null) as w
where
    w.week_ending between %(first)s and %(last)s
    and not exists (
        select from otc_internal.history_week as h where h.metric = %(metric)s and h.week_ending = w.week_ending
    )
    and not (
        %(is_deferred)s
        and exists (select from otc.incomplete_week as i where i.metric = %(metric)s and i.week_ending = w.week_ending)
    )
order by w.week_ending;

-- name: forget_histories
-- Make all histories of some weeks stale.
delete from otc_internal.history_week
where metric = any(%(metrics)s) and week_ending between %(first)s and %(last)s;

-- name: is_read_only
-- Whether the server refuses changes, as a replica does.
select current_setting('transaction_read_only')::boolean as is_read_only;

-- name: is_due
-- Whether a metric of a week is due or incomplete.
select exists (
    select from otc_internal.metric_due where week_ending = %(week)s and metric = %(metric)s
    union all
    select from otc.incomplete_week where week_ending = %(week)s and metric = %(metric)s
) as is_due;

-- name: build_history
-- Build a week of a metric's history.
select otc_internal.build_history(%(metric)s, %(week)s, %(lookback)s, %(reads)s::text[]);
