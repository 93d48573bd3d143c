-- symbol_unusual: a symbol's week against its own past, all tiers together: the 13 and the 52 calendar weeks before it. The
-- week itself is not among them. Compared is volume a trading day, so that a week with a holiday is no slump.
-- A past week counts where the symbol has records in it; where a tier of the symbol covers ATSs only, it counts for scope ATS
-- alone. A window with fewer than 8 such weeks has no values but their number.
-- Shares of the weeks before a split are multiplied by its ratio: see symbol_split.
-- streak: calendar weeks in a row, up to this one, above (positive) or below (negative) median_13w; at most 53.
-- formula: ratio = volume a day / median; robust_z = (volume a day - median) / (1.4826 x the median absolute deviation)
-- reaches: 55, over stored rows only, deferred
-- reads: symbol_split, symbol_summary

-- name: table
create table if not exists otc.symbol_unusual (
    week_ending date not null,
    symbol text collate "C" not null,
    scope text not null,
    volume_per_day numeric(30, 6) not null, -- shares a trading day
    notional_per_day numeric(34, 6), -- dollars a trading day; null where a record lacks its notional
    vs_prior_5w_pct numeric(38, 2), -- shares of the week against their mean in the five weeks before
    weeks_13w int not null, -- with records
    median_13w numeric(30, 6), -- shares a trading day
    ratio_13w numeric(38, 4), -- null where the median is 0
    robust_z_13w numeric(38, 2), -- null where the median absolute deviation is 0
    percentile_13w numeric(5, 2), -- 0 to 100; half of equal weeks count as below
    weeks_52w int not null,
    median_52w numeric(30, 6),
    ratio_52w numeric(38, 4),
    robust_z_52w numeric(38, 2),
    percentile_52w numeric(5, 2),
    streak int,
    split_factor numeric(38, 12), -- of shares of 52 weeks before; null without a split
    computed_at timestamptz not null default now(),
    primary key (week_ending, symbol, scope)
);

-- name: function
create or replace function otc.symbol_unusual_as_of(
    at timestamptz, first_week date default '-infinity', last_week date default 'infinity'
) returns setof otc.symbol_unusual language sql stable parallel safe as $$
with loaded as (
    select week_ending, tier, covers_all, bool_and(covers_all) over (partition by week_ending) as is_covered_week
    from otc.loaded_as_of(at)
    where week_ending between first_week - 364 and last_week
),
summary as not materialized (
    select week_ending, tier, symbol, scope, total_volume, total_notional, volume_per_day
    from otc.symbol_summary
    where at is null and week_ending between first_week - 364 and last_week
    union all
    select week_ending, tier, symbol, scope, total_volume, total_notional, volume_per_day
    from otc.symbol_summary_as_of(at, first_week - 364, last_week)
    where at is not null
),
span as materialized ( -- the weeks that are asked for
    select min(week_ending) filter (where week_ending >= first_week) as first, max(week_ending) as last from loaded
),
inferred as ( -- one that a jump over two weeks shows better a week later counts until then
    select
        week_ending, symbol, ratio, mixed_ratio,
        max(week_ending) filter (where mixed_ratio is not null) over (
            partition by symbol order by week_ending range between '7 days' following and '7 days' following
        ) as replaced_in
    from (
        select week_ending, symbol, ratio, mixed_ratio
        from otc.symbol_split
        where at is null and source = 'inferred' and week_ending between first_week - 364 and last_week
        union all
        select week_ending, symbol, ratio, mixed_ratio
        from otc.symbol_split_as_of(at, first_week - 364, last_week)
        where at is not null and source = 'inferred'
    ) as found
),
split as ( -- the first week that it concerns, and the first with the new shares only
    select week_ending, week_ending as new_week, symbol, ratio, mixed_ratio, replaced_in from inferred
    union all -- given ones, also of weeks without records
    select
        week_ending, case when mixed_ratio is null then week_ending else week_ending + 7 end, symbol, ratio, mixed_ratio, null
    from otc.stock_split_as_of(at)
    where ratio <> 1 and week_ending between first_week - 364 and last_week
),
factor as ( -- what the shares of each earlier week are multiplied by, from the week before to 52 weeks before
    select week_ending, symbol, array_agg(factor order by back) as factors
    from (
        select
            target.week_ending,
            s.symbol,
            back.weeks as back,
            otc_internal.product(case
                when target.week_ending - 7 * back.weeks < s.new_week then otc_internal.split_factor(
                    s.ratio, s.mixed_ratio, s.new_week, target.week_ending - 7 * back.weeks, target.week_ending
                )
                else 1
            end) as factor
        from (select distinct week_ending from loaded where week_ending >= first_week) as target
        inner join split as s on s.new_week > target.week_ending - 364 and s.week_ending <= target.week_ending
            and (s.replaced_in is null or s.replaced_in > target.week_ending)
        cross join generate_series(1, 52) as back (weeks)
        group by target.week_ending, s.symbol, back.weeks
    ) as one
    group by week_ending, symbol
),
uncovered as ( -- symbols with a tier that covers ATSs only
    select distinct s.symbol, s.week_ending
    from summary as s
    inner join loaded as l on l.week_ending = s.week_ending and l.tier = s.tier and not l.covers_all
),
in_windows as not materialized ( -- each week in the windows that it is in; joined, all sums would be computed for each of them
    select
        symbol, scope, total_volume, total_notional, volume_per_day, week_ending as traded_week,
        generate_series(
            greatest(0, ((select first from span) - week_ending) / 7), least(52, ((select last from span) - week_ending) / 7)
        ) as back
    from summary
),
traded as not materialized (
    select traded_week + 7 * back as week_ending, symbol, scope, total_volume, total_notional, volume_per_day, back
    from in_windows
    where traded_week <> all (array(select week_ending from loaded where not is_covered_week))
    union all -- separately, because nearly all weeks are covered
    select i.traded_week + 7 * i.back, i.symbol, i.scope, i.total_volume, i.total_notional, i.volume_per_day, i.back
    from in_windows as i
    left join uncovered as u on u.week_ending = i.traded_week and u.symbol = i.symbol
    where
        i.traded_week = any (array(select week_ending from loaded where not is_covered_week))
        and otc_internal.is_scope_known(i.scope, u.symbol is null)
),
summed as ( -- a week and its past, sorted by volume, in one sort for all
    select
        week_ending,
        symbol,
        scope,
        sum(volume_per_day) filter (where back = 0) as x,
        sum(total_volume) filter (where back = 0) as volume,
        case when bool_and(total_notional is not null) filter (where back = 0) then
            sum(total_notional) filter (where back = 0)
        end as notional,
        sum(total_volume) filter (where back between 1 and 5) as volume_5w,
        bit_count(bit_or(1 << back) filter (where back between 1 and 5)::bit(32)) as weeks_5w,
        array_agg(total_volume) filter (where back between 1 and 5) as volumes_5w,
        array_agg(back) filter (where back between 1 and 5) as backs_5w,
        array_agg(volume_per_day order by volume_per_day) filter (where back between 1 and 13) as past_13,
        array_agg(volume_per_day order by volume_per_day) filter (where back > 0) as past_52,
        array_agg(back order by volume_per_day) filter (where back > 0) as backs,
        count(*) filter (where back > 0)
        > bit_count(bit_or(1::bigint << back) filter (where back > 0)::bit(64)) as is_on_several_tiers
    from traded
    group by symbol, scope, week_ending -- sorted in this order, which is quicker
    having bool_or(back = 0)
),
compared as (
    select
        s.week_ending, s.symbol, s.scope, s.x, s.volume, s.notional, s.weeks_5w, f.factors[52] as split_factor,
        coalesce(adjusted.volume_5w, s.volume_5w) as volume_5w,
        coalesce(one.past_13, s.past_13) as past_13,
        coalesce(one.past_52, s.past_52) as past_52,
        coalesce(one.backs, s.backs) as backs,
        coalesce(cardinality(coalesce(one.past_13, s.past_13)), 0) as n_13,
        coalesce(cardinality(coalesce(one.past_52, s.past_52)), 0) as n_52
    from summed as s
    left join factor as f on f.week_ending = s.week_ending and f.symbol = s.symbol
    cross join lateral (
        select sum(u.volume * f.factors[u.back]) as volume_5w
        from unnest(s.volumes_5w, s.backs_5w) as u (volume, back)
        where f.symbol is not null
    ) as adjusted
    cross join lateral ( -- one volume a week, also of the few symbols that were on several tiers in a week or had a split
        select
            array_agg(w.volume order by w.volume) filter (where w.back <= 13) as past_13,
            array_agg(w.volume order by w.volume) as past_52,
            array_agg(w.back order by w.volume) as backs
        from (
            select sum(u.volume) * coalesce(f.factors[u.back], 1) as volume, u.back
            from unnest(s.past_52, s.backs) as u (volume, back)
            where s.is_on_several_tiers or f.symbol is not null
            group by u.back
        ) as w
    ) as one
)
-- The k values nearest to the median are neighbours in the sorted array: the k-th smallest deviation is the least, over all k
-- neighbours, of their largest. The median deviation is the mean of two of them, which are one where the number of weeks is
-- odd. width_bucket returns how many values of a sorted array are not above a number.
select
    c.week_ending,
    c.symbol,
    c.scope,
    c.x as volume_per_day,
    round(c.notional / t.trading_days, 6) as notional_per_day,
    round((c.volume * c.weeks_5w - c.volume_5w) * 100 / nullif(c.volume_5w, 0), 2) as vs_prior_5w_pct,
    c.n_13 as weeks_13w,
    round(m.median_13, 6) as median_13w,
    round(c.x / nullif(m.median_13, 0), 4) as ratio_13w,
    round((c.x - m.median_13) / nullif(1.4826 * off_13.deviation, 0), 2) as robust_z_13w,
    case when c.n_13 >= 8 then
        round((width_bucket(c.x, c.past_13) - cardinality(array_positions(c.past_13, c.x)) * 0.5) * 100 / c.n_13, 2)
    end as percentile_13w,
    c.n_52 as weeks_52w,
    round(m.median_52, 6) as median_52w,
    round(c.x / nullif(m.median_52, 0), 4) as ratio_52w,
    round((c.x - m.median_52) / nullif(1.4826 * off_52.deviation, 0), 2) as robust_z_52w,
    case when c.n_52 >= 8 then
        round((width_bucket(c.x, c.past_52) - cardinality(array_positions(c.past_52, c.x)) * 0.5) * 100 / c.n_52, 2)
    end as percentile_52w,
    case
        when c.x > m.median_13 then otc_internal.streak(c.backs[width_bucket(m.median_13, c.past_52) + 1:])
        when c.x < m.median_13 then -otc_internal.streak(c.backs[
            :width_bucket(m.median_13, c.past_52) - cardinality(array_positions(c.past_52, m.median_13))
        ])
        when m.median_13 is not null then 0
    end as streak,
    case when c.split_factor is not null then round(least(c.split_factor, 1e25), 12)::numeric(38, 12) end as split_factor,
    now() as computed_at
from compared as c
inner join otc.trading_week as t on t.week_ending = c.week_ending
cross join lateral ( -- the medians: exact, as all that follows until it is divided
    select
        case when c.n_13 >= 8 then (c.past_13[(c.n_13 + 1) / 2] + c.past_13[c.n_13 / 2 + 1]) * 0.5 end as median_13,
        case when c.n_52 >= 8 then (c.past_52[(c.n_52 + 1) / 2] + c.past_52[c.n_52 / 2 + 1]) * 0.5 end as median_52
    offset 0 -- computed once, where a materialized part would be of all symbols
) as m
cross join lateral (
    select (
        min(greatest(m.median_13 - one.low, one.high - m.median_13))
        + min(greatest(m.median_13 - one.low, one.higher - m.median_13)) filter (where one.higher is not null)
    ) * 0.5 as deviation
    from unnest(
        c.past_13[:c.n_13 / 2 + 1], c.past_13[(c.n_13 + 1) / 2:], c.past_13[c.n_13 / 2 + 1:]
    ) as one (low, high, higher)
    where m.median_13 is not null
) as off_13
cross join lateral (
    select (
        min(greatest(m.median_52 - one.low, one.high - m.median_52))
        + min(greatest(m.median_52 - one.low, one.higher - m.median_52)) filter (where one.higher is not null)
    ) * 0.5 as deviation
    from unnest(
        c.past_52[:c.n_52 / 2 + 1], c.past_52[(c.n_52 + 1) / 2:], c.past_52[c.n_52 / 2 + 1:]
    ) as one (low, high, higher)
    where m.median_52 is not null
) as off_52
where c.week_ending between first_week and last_week
$$;
