-- name: begin_export
-- One snapshot of the database for all weeks; times as text in one form.
set transaction isolation level repeatable read;
set local timezone = 'UTC';
set local datestyle = 'ISO';
set local work_mem = '64MB'; -- a week's rows are sorted
set local jit = off; -- it takes longer than what it saves on one week
create temporary table known (
    week_ending date, tier text collate "C", symbol text collate "C", available_at timestamptz
) on commit drop;

-- name: loaded_weeks
-- Weeks with records that count.
select distinct week_ending
from otc.loaded_partition
where week_ending between coalesce(%(first)s::date, '-infinity') and coalesce(%(last)s::date, 'infinity')
order by week_ending;

-- name: exported_records
-- The records of a week, now or as known at a moment; what may have had another value then is left out.
select
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
    certainty,
    observed_at,
    raw_key,
    available_at
from otc.venue_volume_as_of(coalesce(%(at)s::timestamptz, 'infinity'), strict => true)
where week_ending = %(week_ending)s
order by tier, symbol, mpid, firm_crd, issue_name, product_type, venue_type, venue_name;

-- name: count_records
-- Number of rows that `exported_records` returns.
select count(*) as rows
from otc.venue_volume_as_of(coalesce(%(at)s::timestamptz, 'infinity'), strict => true)
where week_ending = %(week_ending)s;

-- name: take_metric
-- Fill the table `exported` with a week of a metric.
select otc_internal.take_metric(%(metric)s, %(at)s, %(week_ending)s);

-- name: count_metric
-- Number of rows in the table `exported`.
select count(*) as rows from exported;

-- name: note_known
-- Note when the newest change of each symbol of a week was known: a record that appeared, or one that disappeared.
insert into known
select
    week_ending,
    tier,
    symbol,
    max(case when closed_at <= coalesce(%(at)s::timestamptz, 'infinity') then greatest(available_at, closed_at) else available_at end)
from otc.version
where week_ending = %(week_ending)s and available_at <= coalesce(%(at)s::timestamptz, 'infinity')
group by week_ending, tier, symbol;

-- name: forget_known
-- Forget the weeks that no metric looks back on any more.
delete from known where week_ending < %(first)s;

-- name: exported_metric
-- A row holds from the moment from which all that it builds on was known and has not changed since: the records of its
-- symbol, where it has one, and of its tier, where it has one, in all weeks that the metric looks back on; and which
-- partitions there were.
with record_moment as (
    select coalesce(symbol, '') as symbol, coalesce(tier, '') as tier, max(available_at) as available_at
    from known
    group by grouping sets ((symbol, tier), (symbol), (tier), ())
    having grouping(symbol) = 1 or symbol is not null
),
partition_moment as (
    select coalesce(tier, '') as tier, max(least(observed_at, otc.published_at(published_on))) as available_at
    from otc.capture_order
    where
        (is_first or is_first_of_all)
        and week_ending between %(first)s::date and %(week_ending)s::date
        and least(observed_at, otc.published_at(published_on)) <= coalesce(%(at)s::timestamptz, 'infinity')
    group by grouping sets ((tier), ())
)
select e.*, greatest(r.available_at, p.available_at) as available_at
from exported as e
cross join lateral (select to_jsonb(e) as named) as row
cross join lateral (
    select
        coalesce(row.named ->> 'symbol', '') collate "C" as symbol,
        case when row.named ->> 'tier' in ('T1', 'T2', 'OTCE') then row.named ->> 'tier' else '' end as tier
) as built_on
left join record_moment as r on r.symbol = built_on.symbol and r.tier = built_on.tier
left join partition_moment as p on p.tier = built_on.tier
order by e;
