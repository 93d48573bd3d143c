-- name: begin_report
-- One snapshot for all statements. Nested loops are off, because a table that was not analyzed since its weeks arrived looks
-- empty, and a loop over a whole week cheap.
set transaction isolation level repeatable read;
set local enable_nestloop = off;
set local jit = off;
set local work_mem = '128MB';

-- name: report_weeks
-- The weeks up to a date that have anything, with how many tiers, newest first.
select week_ending, array_agg(tier order by tier) as tiers, bool_and(covers_all) as covers_all
from otc.loaded_partition
where week_ending between %(first)s::date and %(last)s::date
group by week_ending
order by week_ending desc;

-- name: report_week
-- The newest week that is whole; where none is, the newest that has anything.
select week_ending
from otc.loaded_partition
where (%(week_ending)s::date is null or week_ending = %(week_ending)s) and otc.is_partition(week_ending, tier)
group by week_ending
order by count(*) = 3 desc, week_ending desc
limit 1;

-- name: report_partitions
-- Partitions between two weeks.
select week_ending, tier, covers_all
from otc.loaded_partition
where week_ending between %(first)s::date and %(last)s::date;

-- name: report_totals
-- What was traded of all symbols, by week, tier and scope.
select
    week_ending,
    tier,
    scope,
    count(*) as symbols,
    sum(total_volume) as volume,
    sum(total_trades) as trades,
    case when count(total_notional) = count(*) then sum(total_notional) end as notional
from otc.symbol_summary
where week_ending between %(first)s and %(last)s
group by week_ending, tier, scope;

-- name: report_symbol_count
-- Number of symbols in a week.
select count(distinct symbol) as symbols from otc.symbol_summary where week_ending = %(week_ending)s and scope = %(scope)s;

-- name: report_venues
-- The largest venues of a week.
select
    coalesce(mpid, 'CRD ' || firm_crd, '') as number,
    coalesce(venue_name, '') as name,
    mpid is not null as is_ats,
    total_volume as volume,
    symbol_count,
    market_share_pct as share,
    rank,
    rank_change,
    count(*) over () as venues
from otc.venue_share
where week_ending = %(week_ending)s and tier = %(tier)s and scope = %(scope)s
order by rank, number, name
limit %(limit)s;

-- name: report_compared
-- Whether a week's ranks could be compared with the week before at all.
select exists (
    select from otc.venue_share
    where week_ending = %(week_ending)s and tier = %(tier)s and scope = %(scope)s and rank_change is not null
) as is_compared;

-- name: report_moves
-- Liquid symbols that moved most against their mean, in both directions.
with liquid as (
    select symbol, sum(total_trades) as trades
    from otc.symbol_summary
    where week_ending = %(week_ending)s and scope = %(scope)s
    group by symbol
    having sum(total_trades) >= %(liquid_trades)s
),
moved as (
    select
        r.symbol,
        r.current_volume as volume,
        r.avg_6w_volume as mean,
        r.volume_vs_avg_pct as change,
        r.weeks_in_window as weeks,
        row_number() over (order by r.volume_vs_avg_pct desc, r.symbol) as from_top,
        row_number() over (order by r.volume_vs_avg_pct, r.symbol) as from_bottom
    from otc.symbol_rolling_avg as r
    inner join liquid as l on l.symbol = r.symbol
    where
        r.week_ending = %(week_ending)s and r.scope = %(scope)s and r.weeks_in_window >= %(liquid_weeks)s
        and r.volume_vs_avg_pct is not null
)
select symbol, volume, mean, change, weeks
from moved
where (from_top <= %(limit)s and change > 0) or (from_bottom <= %(limit)s and change < 0)
order by change desc, symbol;

-- name: report_concentration
-- Liquid symbols by the index: the most concentrated by its lower bound, the least by its upper.
with liquid as (
    select symbol
    from otc.symbol_summary
    where week_ending = %(week_ending)s and scope = %(scope)s
    group by symbol
    having sum(total_trades) >= %(liquid_trades)s
),
ordered as (
    select
        c.*,
        row_number() over (order by c.hhi desc, c.symbol) as from_top,
        row_number() over (order by c.hhi_upper, c.symbol) as from_bottom
    from otc.symbol_concentration as c
    inner join liquid as l on l.symbol = c.symbol
    where c.week_ending = %(week_ending)s and c.scope = %(scope)s
)
select
    symbol, hhi, hhi_upper as upper, venue_count as venues, top_venue_share_pct as top, concentration_level as level,
    from_top, from_bottom
from ordered
where from_top <= %(limit)s or from_bottom <= %(limit)s
order by from_top;

-- name: report_levels
-- Number of liquid symbols in each band.
select c.concentration_level as level, count(*) as symbols
from otc.symbol_concentration as c
inner join (
    select symbol
    from otc.symbol_summary
    where week_ending = %(week_ending)s and scope = %(scope)s
    group by symbol
    having sum(total_trades) >= %(liquid_trades)s
) as liquid on liquid.symbol = c.symbol
where c.week_ending = %(week_ending)s and c.scope = %(scope)s
group by c.concentration_level;

-- name: report_largest
-- The largest symbols of a week, with their metrics.
with largest as (
    select symbol, sum(total_volume) as volume, sum(total_trades) as trades
    from otc.symbol_summary
    where week_ending = %(week_ending)s and scope = %(scope)s
    group by symbol
    order by volume desc, symbol
    limit %(limit)s
)
select
    l.symbol,
    l.volume,
    l.trades,
    r.volume_vs_avg_pct as change,
    c.hhi,
    c.hhi_upper as upper,
    c.concentration_level as level,
    coalesce(a.volume, 0) as ats_volume
from largest as l
left join otc.symbol_rolling_avg as r
    on r.week_ending = %(week_ending)s and r.scope = %(scope)s and r.symbol = l.symbol
left join otc.symbol_concentration as c
    on c.week_ending = %(week_ending)s and c.scope = %(scope)s and c.symbol = l.symbol
left join lateral (
    select sum(s.total_volume) as volume
    from otc.symbol_summary as s
    where s.week_ending = %(week_ending)s and s.scope = 'ATS' and s.symbol = l.symbol
) as a on true
order by l.volume desc, l.symbol;

-- name: report_histories
-- Volume of some symbols by week.
select symbol, week_ending, sum(total_volume) as volume
from otc.symbol_summary
where week_ending = any(%(weeks)s) and symbol = any(%(symbols)s) and scope = %(scope)s
group by symbol, week_ending;

-- name: report_names
-- Name of each symbol's issue, by its largest record.
select distinct on (symbol) symbol, issue_name
from otc.venue_volume
where week_ending = %(week_ending)s and symbol = any(%(symbols)s) and issue_name is not null
order by symbol, share_volume desc, issue_name;

-- name: report_unknown
-- Records that were restated before the first capture: their first values are lost.
select count(*) as records
from otc_internal.volume_record as r
inner join otc.capture_order as c on c.capture_id = r.opened_by and c.week_ending = r.week_ending and c.tier = r.tier
where
    r.week_ending = %(week_ending)s
    and r.closed_by is null
    and otc.certainty(
        case when r.venue_type = 'ATS' then c.is_first else c.is_first_of_all end,
        coalesce(r.published_on, c.published_on), r.updated_on, c.observed_at
    ) = 'unknown';
