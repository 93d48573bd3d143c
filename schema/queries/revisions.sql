-- name: revisions
-- Records that captures after a partition's first changed: of a week, of a symbol, of the weeks between two, or of all.
select * from otc_internal.revisions(%(week_ending)s::date, %(symbol)s::text, %(first)s::date, %(last)s::date);

-- name: weeks_captured_again
-- The newest weeks with a capture after the first of a tier; something has probably changed.
select distinct week_ending
from otc.capture_order
where not is_first and otc.is_partition(week_ending, tier)
order by week_ending desc
limit %(limit)s;

-- name: effect
-- How many rows of a metric a capture changed, by week, and how many of them in a word that people act on.
select week_ending, metric_name as metric, rows, words, coalesce(names, '{}') as names
from otc_internal.effect(%(metric)s, %(moment)s, %(first)s, %(last)s, %(symbols)s)
order by week_ending;

-- name: effect_on
-- What an observation of a week changed in the metrics of a symbol, a row for each column.
select
    e.metric,
    e.week_ending,
    e.tier,
    e.scope,
    c.key as column_name,
    c.value -> 0 as before,
    c.value -> 1 as after
from jsonb_to_recordset(otc_internal.effect_on(%(symbol)s, %(moment)s, %(first)s))
    as e (metric text, week_ending date, tier text, scope text, changes jsonb)
cross join lateral jsonb_each(
    case
        when e.changes = '"appeared"' then '{"row": [null, "appeared"]}'
        when e.changes = '"gone"' then '{"row": [null, "gone"]}'
        else e.changes
    end
) as c
order by e.metric, e.week_ending, e.tier, e.scope, c.key;

-- name: refreshable
-- The newest answer of the API for each partition, and how many requests it took.
select distinct on (week_ending, tier) week_ending, tier, observed_at, published_on, coalesce(pages, 1) as pages
from otc.capture
where source = 'api' and week_ending >= %(first)s and otc.is_partition(week_ending, tier)
order by week_ending, tier, observed_at desc;
