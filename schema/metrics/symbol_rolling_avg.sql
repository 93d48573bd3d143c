-- symbol_rolling_avg: a symbol's week against its mean over six calendar weeks ending with it, all tiers together.
-- The mean is over the weeks in which the symbol has records. A week without records counts as 0 only where every
-- tier in which the symbol traded in the window is loaded: absence of a tier is not absence of trading. Nor is a row of
-- the symbol that was set aside.
-- Shares of the weeks before a split are multiplied by its ratio, so that a split is no trend: see symbol_split.
-- formula: avg_6w = sum over six weeks / weeks with records; volume_vs_avg_pct = 100 (current - avg) / avg
-- reaches: 8, over stored rows only
-- reads: symbol_split, symbol_summary

-- name: table
create table if not exists otc.symbol_rolling_avg (
    week_ending date not null,
    symbol text collate "C" not null,
    scope text not null,
    avg_6w_volume numeric(30, 6) not null, -- shares a week
    avg_6w_trades numeric(30, 6) not null, -- trades a week
    current_volume numeric(30, 6) not null, -- shares
    volume_vs_avg_pct numeric(10, 2), -- null where the mean is 0
    trend text not null, -- up above +10 %, down below -10 %, else stable; judged before rounding
    weeks_in_window int not null, -- weeks with records of the symbol
    weeks_loaded int not null, -- weeks with all three tiers loaded
    is_complete boolean not null,
    split_factor numeric(38, 12), -- of shares of the first week; null without a split in the window
    computed_at timestamptz not null default now(),
    primary key (week_ending, symbol, scope)
);

-- name: function
create or replace function otc.symbol_rolling_avg_as_of(
    at timestamptz, first_week date default '-infinity', last_week date default 'infinity'
) returns setof otc.symbol_rolling_avg language sql stable parallel safe as $$
with loaded as (
    select week_ending, tier, covers_all, bool_and(covers_all) over (partition by week_ending) as is_covered_week
    from otc.loaded_as_of(at)
    where week_ending between first_week - 35 and last_week
),
summary as not materialized (
    select week_ending, tier, symbol, scope, total_volume, total_trades
    from otc.symbol_summary
    where at is null and week_ending between first_week - 35 and last_week
    union all
    select week_ending, tier, symbol, scope, total_volume, total_trades
    from otc.symbol_summary_as_of(at, first_week - 35, last_week)
    where at is not null
),
pair as materialized ( -- a partition in the window of a week
    select
        target.week_ending,
        l.week_ending as traded_week,
        l.tier,
        l.is_covered_week,
        l.week_ending = target.week_ending as is_now,
        1 << ((target.week_ending - l.week_ending) / 7) as week_bit,
        (target.week_ending - l.week_ending) / 7 as back,
        now.tier is null as is_unloaded,
        coalesce(now.covers_all, false) is false as is_uncovered
    from (select distinct week_ending from loaded where week_ending >= first_week) as target
    inner join loaded as l on l.week_ending between target.week_ending - 35 and target.week_ending
    left join loaded as now on now.week_ending = target.week_ending and now.tier = l.tier
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
        where at is null and source = 'inferred' and week_ending between first_week - 35 and last_week
        union all
        select week_ending, symbol, ratio, mixed_ratio
        from otc.symbol_split_as_of(at, first_week - 35, last_week)
        where at is not null and source = 'inferred'
    ) as found
),
split as ( -- the first week that it concerns, and the first with the new shares only
    select week_ending, week_ending as new_week, symbol, ratio, mixed_ratio, replaced_in from inferred
    union all -- given ones, also of weeks without records
    select
        week_ending, case when mixed_ratio is null then week_ending else week_ending + 7 end, symbol, ratio, mixed_ratio, null
    from otc.stock_split_as_of(at)
    where ratio <> 1 and week_ending between first_week - 35 and last_week
),
factor as not materialized ( -- what the shares of an earlier week are multiplied by
    select
        target.week_ending,
        s.symbol,
        back.weeks as back,
        otc_internal.product(otc_internal.split_factor(
            s.ratio, s.mixed_ratio, s.new_week, target.week_ending - 7 * back.weeks, target.week_ending
        )) as factor
    from (select distinct week_ending from loaded where week_ending >= first_week) as target
    inner join split as s on s.new_week > target.week_ending - 35 and s.week_ending <= target.week_ending
        and (s.replaced_in is null or s.replaced_in > target.week_ending)
    inner join generate_series(1, 5) as back (weeks) on target.week_ending - 7 * back.weeks < s.new_week
    group by target.week_ending, s.symbol, back.weeks
),
uncovered as ( -- symbols with a tier that covers ATSs only
    select distinct s.symbol, s.week_ending
    from summary as s
    inner join loaded as l on l.week_ending = s.week_ending and l.tier = s.tier and not l.covers_all
),
absent as ( -- where a tier on which a symbol traded in the window is not loaded, no records are not zero
    select s.symbol, p.week_ending, bool_or(p.is_unloaded) as is_unloaded
    from summary as s
    inner join pair as p on p.traded_week = s.week_ending and p.tier = s.tier and p.is_uncovered
    group by s.symbol, p.week_ending
),
traded as (
    select p.week_ending, s.symbol, s.scope, s.total_volume, s.total_trades, p.week_bit, p.back, p.is_now
    from summary as s
    inner join pair as p on p.traded_week = s.week_ending and p.tier = s.tier and p.is_covered_week
    union all -- separately, because nearly all weeks are covered
    select p.week_ending, s.symbol, s.scope, s.total_volume, s.total_trades, p.week_bit, p.back, p.is_now
    from summary as s
    inner join pair as p on p.traded_week = s.week_ending and p.tier = s.tier and not p.is_covered_week
    left join uncovered as u on u.week_ending = s.week_ending and u.symbol = s.symbol
    where otc_internal.is_scope_known(s.scope, u.symbol is null)
),
summed as (
    select
        week_ending,
        symbol,
        scope,
        sum(case when f.factor is null then total_volume else total_volume * f.factor end) as volume,
        sum(total_trades) as trades,
        bit_count(bit_or(week_bit)::bit(6)) as weeks,
        sum(total_volume) filter (where is_now) as current_volume
    from traded
    left join factor as f using (week_ending, symbol, back)
    group by symbol, scope, week_ending -- sorted in this order, which is quicker
),
whole as ( -- weeks with all tiers in which a scope is known
    select
        target.week_ending,
        scope.name as scope,
        count(*)::int as weeks
    from (select distinct week_ending from loaded) as target
    inner join (
        select week_ending, bool_and(covers_all) as is_covered from loaded group by week_ending having count(*) = 3
    ) as week on week.week_ending between target.week_ending - 35 and target.week_ending
    cross join (values ('ATS'), ('NON_ATS'), ('ALL')) as scope (name)
    where otc_internal.is_scope_known(scope.name, week.is_covered)
    group by target.week_ending, scope.name
)
select
    w.week_ending,
    w.symbol,
    w.scope,
    round(w.volume / w.weeks, 6) as avg_6w_volume,
    round(w.trades / w.weeks, 6) as avg_6w_trades,
    coalesce(w.current_volume, 0) as current_volume,
    round((coalesce(w.current_volume, 0) * w.weeks - w.volume) * 100 / nullif(w.volume, 0), 2) as volume_vs_avg_pct,
    case
        when coalesce(w.current_volume, 0) * w.weeks * 100 > w.volume * 110 then 'up'
        when coalesce(w.current_volume, 0) * w.weeks * 100 < w.volume * 90 then 'down'
        else 'stable'
    end as trend,
    w.weeks::int as weeks_in_window,
    coalesce(n.weeks, 0) as weeks_loaded,
    coalesce(n.weeks, 0) = 6 as is_complete,
    round(f.factor, 12)::numeric(38, 12) as split_factor,
    now() as computed_at
from summed as w
left join factor as f on f.week_ending = w.week_ending and f.symbol = w.symbol and f.back = 5
left join absent as a on a.week_ending = w.week_ending and a.symbol = w.symbol
left join whole as n on n.week_ending = w.week_ending and n.scope = w.scope
left join otc_internal.set_aside_as_of(at, first_week, last_week) as r on r.week_ending = w.week_ending and r.symbol = w.symbol
where
    w.current_volume is not null
    or (
        r.symbol is null
        and otc_internal.is_scope_known(w.scope, a.symbol is null)
        and a.is_unloaded is not true
    )
$$;
