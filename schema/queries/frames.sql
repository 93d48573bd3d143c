-- name: copy_out
-- Frame: the rows of a query as CSV.
copy ({query}) to stdout (format csv);

-- name: columns_of
-- Frame: the columns of a query, without rows.
select * from ({query}) as asked limit 0;

-- name: utc
-- Times as text in one form.
set local timezone = 'UTC';
set local datestyle = 'ISO';

-- name: ask_metric
-- Fill the table `asked` with rows of a metric.
select otc_internal.ask_metric(%(metric)s, %(at)s, %(first)s, %(last)s, %(symbols)s);

-- name: has_symbols
-- One row if the metric has a symbol column.
select attrelid from pg_attribute where attrelid = format('otc.%%I', %(metric)s::text)::regclass and attname = 'symbol';

-- name: asked
-- The rows of the table `asked`.
select * from asked;

-- name: records
-- As known at a moment; of all symbols, or of some.
select *
from otc.venue_volume_as_of(%(at)s, %(strict)s)
where
    week_ending between %(first)s and %(last)s
    and (%(symbols)s::text[] is null or symbol = any(%(symbols)s::text[]));
