-- name: newest_week_as_of
-- The newest week of a tier, or of any, that was known at a moment.
select max(week_ending) as week_ending from otc.loaded_as_of(%(at)s) where tier = coalesce(%(tier)s, tier);

-- name: week_partitions_as_of
-- Partitions of a week that were known at a moment.
select l.week_ending, l.tier, l.covers_all, min(c.published_on) as published_on
from otc.loaded_as_of(%(at)s) as l
inner join otc.capture_order as c on c.week_ending = l.week_ending and c.tier = l.tier
where l.week_ending = %(week_ending)s
group by l.week_ending, l.tier, l.covers_all
order by array_position(array['T1', 'T2', 'OTCE'], l.tier);

-- name: top_symbols_as_of
-- The rows of `top_symbols` as known at a moment.
with summed as (
    select
        symbol,
        sum(total_volume) filter (where scope = %(scope)s) as volume,
        sum(total_trades) filter (where scope = %(scope)s) as trades,
        otc_internal.ats_fraction(
            count(distinct tier),
            count(*) filter (where scope = 'ALL'),
            sum(total_volume) filter (where scope = 'ATS'),
            sum(total_volume) filter (where scope = 'ALL')
        ) as ats_fraction
    from otc.symbol_summary_as_of(%(at)s, %(week_ending)s, %(week_ending)s)
    where tier = coalesce(%(tier)s, tier)
    group by symbol
),
largest as materialized (
    select *
    from summed
    where volume is not null and trades >= %(least_trades)s
    order by case %(by)s when 'trades' then trades else volume end desc, volume desc, symbol
    limit %(among)s
),
rolling as materialized (
    select * from otc.symbol_rolling_avg_as_of(%(at)s, %(week_ending)s, %(week_ending)s) where scope = %(scope)s
),
concentration as materialized (
    select * from otc.symbol_concentration_as_of(%(at)s, %(week_ending)s, %(week_ending)s) where scope = %(scope)s
),
record as materialized (
    select
        v.symbol,
        max(v.first_published_on) as published_on,
        max(v.updated_on) filter (where v.updated_on > v.first_published_on) as updated_on,
        (array_agg(n.name order by v.share_volume desc))[1] as issue_name
    from otc.version_as_of(%(at)s, true) as v
    left join otc_internal.name as n on n.name_id = v.issue_name_id
    where v.week_ending = %(week_ending)s and v.tier = coalesce(%(tier)s, v.tier)
    group by v.symbol
)
select
    %(week_ending)s::date as week_ending,
    l.symbol,
    %(scope)s as scope,
    round(l.volume, 6) as volume,
    l.trades::bigint as trades,
    r.volume_vs_avg_pct,
    r.trend,
    r.weeks_in_window,
    l.ats_fraction,
    c.hhi,
    c.hhi_upper,
    c.concentration_level,
    row_number() over (
        order by
            case %(by)s
                when 'volume' then l.volume
                when 'trades' then l.trades
                when 'change' then r.volume_vs_avg_pct
                when 'hhi' then c.hhi
                when 'ats-fraction' then l.ats_fraction
            end desc nulls last,
            l.volume desc, l.symbol
    ) as place,
    k.published_on,
    k.updated_on,
    k.issue_name,
    coalesce(%(tier)s::text, 'ALL_TIERS') as tier
from largest as l
left join rolling as r on r.symbol = l.symbol
left join concentration as c on c.symbol = l.symbol
left join record as k on k.symbol = l.symbol
order by place
limit %(limit)s;

-- name: venue_week_as_of
-- The week and tier of `venue_week` as known at a moment.
with loaded as (
    select week_ending, tier, covers_all
    from otc.loaded_as_of(%(at)s)
    where %(week_ending)s::date is null or week_ending = %(week_ending)s
)
(
    select week_ending, 'ALL_TIERS' as tier
    from loaded
    where coalesce(%(tier)s, 'ALL_TIERS') = 'ALL_TIERS'
    group by week_ending
    having count(*) = 3 and otc_internal.is_scope_known(%(scope)s, bool_and(covers_all))
    order by week_ending desc
    limit 1
)
union all
(
    select week_ending, tier
    from loaded
    where tier = coalesce(%(tier)s, tier) and otc_internal.is_scope_known(%(scope)s, covers_all)
    order by week_ending desc, array_position(array['T1', 'T2', 'OTCE'], tier)
    limit 1
)
limit 1;

-- name: has_history
-- Whether the history of a week's venue shares is built, and nothing is to come.
select
    exists (
        select from otc_internal.history_week where metric = 'venue_share' and week_ending = %(week_ending)s
    )
    and not exists (
        select from otc_internal.metric_due where metric = 'venue_share' and week_ending = %(week_ending)s
    ) as is_built;

-- name: venues_as_of
-- The rows of `venues` as known at a moment: from the history if it is built, else from the records, which takes seconds.
with updated as (
    select
        array[
            v.mpid,
            case when v.mpid is null then v.firm_crd::text end,
            case when v.mpid is null and v.firm_crd is null then n.name end
        ] as venue,
        count(*)::int as records,
        max(v.updated_on) as updated_on
    from otc.version_as_of(%(at)s, true) as v
    left join otc_internal.name as n on n.name_id = v.venue_name_id
    where v.week_ending = %(week_ending)s and %(tier)s in (v.tier, 'ALL_TIERS') and v.updated_on > v.first_published_on
    group by 1
)
select
    s.week_ending,
    s.tier,
    s.scope,
    s.rank,
    s.rank_change,
    s.mpid,
    s.firm_crd,
    s.venue_name,
    s.market_share_pct,
    s.share_change_1w_pts,
    s.share_change_4w_pts,
    s.share_change_13w_pts,
    s.total_volume,
    s.total_trades,
    s.avg_trade_size,
    s.total_notional,
    s.symbol_count,
    (
        select max(c.published_on) from otc.capture_order as c
        where c.week_ending = s.week_ending and s.tier in (c.tier, 'ALL_TIERS') and c.observed_at <= %(at)s
    ) as published_on,
    u.updated_on,
    coalesce(u.records, 0) as updated_records
from (
    select
        week_ending, tier, scope, rank, rank_change, mpid, firm_crd, venue_name, market_share_pct, share_change_1w_pts,
        share_change_4w_pts, share_change_13w_pts, total_volume, total_trades, avg_trade_size,
        total_notional, symbol_count
    from otc.venue_share_history
    where
        %(is_built)s and week_ending = %(week_ending)s
        and known_from <= %(at)s and (known_until is null or known_until > %(at)s)
    union all
    select
        week_ending, tier, scope, rank, rank_change, mpid, firm_crd, venue_name, market_share_pct, share_change_1w_pts,
        share_change_4w_pts, share_change_13w_pts, total_volume, total_trades, avg_trade_size,
        total_notional, symbol_count
    from otc.venue_share_as_of(%(at)s, %(week_ending)s, %(week_ending)s)
    where not %(is_built)s
) as s
left join updated as u
    on u.venue = array[
        s.mpid,
        case when s.mpid is null then s.firm_crd::text end,
        case when s.mpid is null and s.firm_crd is null then s.venue_name end
    ]
where s.tier = %(tier)s and s.scope = %(scope)s
order by s.rank, s.venue_name, s.mpid, s.firm_crd;
