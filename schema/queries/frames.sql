-- name: copy_out
-- The rows of a query as CSV.
copy ({query}) to stdout (format csv);

-- name: columns_of
-- The columns of a query, without rows.
select * from ({query}) as asked limit 0;

-- name: count_of
-- The number of rows of a query.
select count(*) as rows from ({query}) as asked;

-- name: begin_snapshot
-- One snapshot of the database for all statements; times as text in one form.
set transaction isolation level repeatable read, read only;
set local timezone = 'UTC';
set local datestyle = 'ISO';
set local work_mem = '128MB'; -- a week's rows are sorted
set local jit = off; -- it takes longer than what it saves on one week

-- name: stored_rows
-- Rows of a metric, as stored.
select {columns}
from otc.{table}
where week_ending between %(first)s and %(last)s
{conditions};

-- name: known_rows
-- Rows of a metric as known at a moment; `table` is its function.
select {columns}
from otc.{table}(%(at)s, %(first)s, %(last)s)
where week_ending between %(first)s and %(last)s
{conditions};

-- name: derived_rows
-- Rows that a function computes on demand; `table` is the function.
select {columns}
from otc.{table}(%(at)s, %(first)s, %(last)s, %(symbols)s::text[])
where week_ending between %(first)s and %(last)s
{conditions};

-- name: history_rows
-- Rows of a table's history, week by week: a range of weeks would not bound what the view joins, which takes minutes then.
select version.*
from (
    select distinct c.week_ending
    from otc.capture as c
    where c.persisted_at is not null and c.week_ending between %(first)s and %(last)s
) as week
cross join lateral (
    select {columns}
    from otc.{table}
    where week_ending = week.week_ending
    {conditions}
    offset 0
) as version;

-- name: known_records
-- Records as known at a moment.
select {columns}
from (
    select
        week_ending,
        tier,
        venue_type,
        symbol,
        issue_name,
        product_type,
        mpid,
        firm_crd,
        venue_name,
        share_volume::numeric(20, 6) as share_volume,
        trade_count,
        notional::numeric(24, 6) as notional,
        published_on,
        updated_on,
        avg_trade_size::numeric(20, 6) as avg_trade_size,
        observed_at,
        raw_key,
        certainty,
        available_at
    from otc.venue_volume_as_of(%(at)s, %(strict)s)
) as record
where
    week_ending between %(first)s and %(last)s
    and (%(first)s::date <> %(last)s or week_ending = %(first)s) -- for one week: an equality bounds what is joined with it too
{conditions};

-- name: of_symbols
-- Condition: of some symbols.
and symbol = any(%(symbols)s::text[])

-- name: of_tier
-- Condition: of one tier.
and tier = %(tier)s

-- name: of_scope
-- Condition: of one scope.
and scope = %(scope)s

-- name: of_venue_type
-- Condition: of the venues of one scope.
and venue_type = %(scope)s

-- name: in_order_of_keys
-- Order: by what identifies a row.
order by {keys}

-- name: in_order_of_history
-- Order: by what identifies a row, and since when it is known.
order by {keys}, known_from

-- name: never_null
-- Columns of a table that are never null; those of the records are the versions'.
select a.attname::text as name
from pg_attribute as a
inner join pg_class as c on c.oid = a.attrelid
inner join pg_namespace as n on n.oid = c.relnamespace
where
    n.nspname in ('otc', 'otc_internal')
    and c.relkind in ('r', 'p')
    and c.relname = case %(table)s when 'venue_volume' then 'volume_record' else %(table)s end
    and a.attnotnull
    and a.attnum > 0;

-- name: newest_symbols
-- The symbols of some weeks, the most traded first. Each week is read by itself: the planner cannot know how few of all are
-- concerned.
select s.symbol
from otc_internal.weeks_of_names() as w (week_ending)
cross join lateral (
    select symbol, max(total_volume) as total_volume
    from otc.symbol_summary
    where week_ending = w.week_ending
    group by symbol
    offset 0
) as s
group by s.symbol
order by max(s.total_volume) desc, s.symbol;

-- name: symbols_by_name
-- In the same weeks the symbol that was traded most of those whose issue's name has a word that begins so.
select r.symbol
from otc_internal.weeks_of_names() as w (week_ending)
cross join lateral (
    select symbol, share_volume
    from otc_internal.volume_record
    where
        week_ending = w.week_ending and closed_by is null and symbol is not null
        and issue_name_id = any(array(
            select name_id from otc_internal.name where position(' ' || upper(%(text)s) in ' ' || upper(name)) > 0
        ))
    offset 0
) as r
group by r.symbol
order by max(w.week_ending) desc, sum(r.share_volume) desc, r.symbol
limit 1;
