-- name: week_partitions
-- Partitions of a week that count: when they were published, and first and last observed.
select
    week_ending,
    tier,
    min(published_on) as published_on,
    min(observed_at) as first_observed_at,
    max(observed_at) as observed_at,
    bool_or(covers = 'all') as covers_all
from otc.capture
where week_ending = %(week_ending)s and persisted_at is not null
group by week_ending, tier
order by array_position(array['T1', 'T2', 'OTCE'], tier);

-- name: loaded_around
-- Whether a week, or one tier of it, was captured, and the nearest loaded weeks before and after it.
select
    coalesce(bool_or(week_ending = %(week_ending)s), false) as is_loaded,
    max(week_ending) filter (where week_ending < %(week_ending)s and persisted_at is not null) as before,
    min(week_ending) filter (where week_ending > %(week_ending)s and persisted_at is not null) as after
from otc.capture
where tier = coalesce(%(tier)s, tier);

-- name: top_symbols
-- The first symbols of a week by some value, among its largest by volume: rarely traded symbols always have extreme values.
with week as (
    select coalesce(%(week_ending)s::date, (
        select s.week_ending from otc.symbol_summary as s
        where s.scope = %(scope)s and s.tier = coalesce(%(tier)s, s.tier)
        order by s.week_ending desc limit 1
    )) as week_ending
),
largest as (
    select s.week_ending, s.symbol, s.scope, sum(s.total_volume) as volume, sum(s.total_trades) as trades
    from week as w
    inner join otc.symbol_summary as s on s.week_ending = w.week_ending
    where s.scope = %(scope)s and s.tier = coalesce(%(tier)s, s.tier)
    group by s.week_ending, s.symbol, s.scope
    having sum(s.total_trades) >= %(least_trades)s
    order by case %(by)s when 'trades' then sum(s.total_trades) else sum(s.total_volume) end desc, volume desc, s.symbol
    limit %(among)s
),
ranked as (
    select
        l.week_ending,
        l.symbol,
        l.scope,
        round(l.volume, 6) as volume,
        l.trades::bigint as trades,
        r.volume_vs_avg_pct,
        r.trend,
        r.weeks_in_window,
        a.ats_fraction,
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
                    when 'ats-fraction' then a.ats_fraction
                end desc nulls last,
                l.volume desc, l.symbol
        ) as place
    from largest as l
    cross join lateral ( -- by symbol: statistics do not know a new week
        select otc_internal.ats_fraction(
            count(distinct s.tier),
            count(*) filter (where s.scope = 'ALL'),
            sum(s.total_volume) filter (where s.scope = 'ATS'),
            sum(s.total_volume) filter (where s.scope = 'ALL')
        ) as ats_fraction
        from (values ('T1'), ('T2'), ('OTCE')) as t (tier)
        inner join otc.symbol_summary as s
            on s.week_ending = l.week_ending and s.tier = t.tier and s.symbol = l.symbol and s.scope in ('ATS', 'ALL')
        where s.tier = coalesce(%(tier)s, s.tier)
    ) as a
    left join otc.symbol_rolling_avg as r
        on r.week_ending = l.week_ending and r.symbol = l.symbol and r.scope = l.scope
    left join otc.symbol_concentration as c
        on c.week_ending = l.week_ending and c.symbol = l.symbol and c.scope = l.scope
)
select t.*, known.published_on, known.updated_on, known.issue_name, coalesce(%(tier)s::text, 'ALL_TIERS') as tier
from ranked as t
cross join lateral (
    select
        max(coalesce(v.published_on, c.published_on)) as published_on,
        max(v.updated_on) filter (where v.updated_on > coalesce(v.published_on, c.published_on)) as updated_on,
        (array_agg(issue.name order by v.share_volume desc))[1] as issue_name
    from otc_internal.volume_record as v
    inner join otc.capture as c on c.capture_id = v.opened_by
    left join otc_internal.name as issue on issue.name_id = v.issue_name_id
    where
        v.symbol = t.symbol and v.week_ending = t.week_ending and v.closed_by is null
        and v.tier = coalesce(%(tier)s, v.tier)
) as known
where t.place <= %(limit)s
order by t.place;

-- name: newest_summarized
-- The newest week with sums of a scope; null where none has.
select max(week_ending) as week_ending
from otc.symbol_summary
where scope = %(scope)s and tier = coalesce(%(tier)s, tier);

-- name: top_unusual
-- The symbols of a week that are farthest from their 13 weeks before, up or down, of those that traded enough in these weeks.
with ranked as (
    select *, row_number() over (order by abs(robust_z_13w) desc, volume_per_day desc, symbol) as place
    from otc.symbol_unusual as u
    where
        u.week_ending = %(week_ending)s and u.scope = %(scope)s
        and u.robust_z_13w is not null and u.median_13w >= %(floor)s
        and (%(floor_notional)s::numeric is null or u.notional_per_day >= %(floor_notional)s)
        and (
            %(tier)s::text is null
            or exists (
                select from otc.symbol_summary as s
                where
                    s.week_ending = u.week_ending and s.tier = %(tier)s and s.symbol = u.symbol and s.scope = u.scope
            )
        )
)
select t.*, issue.issue_name
from ranked as t
cross join lateral (
    select (array_agg(n.name order by v.share_volume desc))[1] as issue_name
    from otc_internal.volume_record as v
    left join otc_internal.name as n on n.name_id = v.issue_name_id
    where v.symbol = t.symbol and v.week_ending = t.week_ending and v.closed_by is null
) as issue
where t.place <= %(limit)s
order by t.place;
