-- symbol_split: a split of a symbol's shares, given by a file that a user imported, or else inferred from the feed: the average
-- price of a share jumps by a usual ratio, and the dollars traded a day stay about the same. A fall of the price with a surge of
-- trading is no split. Where a split is given, none is inferred in its week and the next; with a ratio of 1 there was none.
-- The jump is from the week before or, when the split fell within that week, whose price then lies between, from the one before
-- it. The two weeks up to the jump have prices within a quarter of each other: one that was moving is no sign of a split. Only prices up to the week itself count, so
-- that a split in the middle of a week is found a week later.
-- Scope ALL is looked at first, then ATS, then NON_ATS.
-- formula: ratio = the usual ratio nearest to price_before / price_after, within 8 %
-- reaches: 3, over stored rows only
-- reads: average_print_price, symbol_summary

-- name: table
create table if not exists otc.symbol_split (
    week_ending date not null, -- the first week with new shares; of an inferred split, with these only
    symbol text collate "C" not null,
    ratio numeric(24, 12) not null, -- new shares for an old one: 4 of a 4:1 split, 0.1 of a 1:10 reverse split
    mixed_ratio numeric(24, 12), -- new shares for one of the week that had both, or null: the week, if given, else the one before
    price_before numeric(38, 6), -- dollars a share; null where given
    price_after numeric(38, 6),
    source text not null, -- given or inferred
    ex_date date, -- the first day with the new shares; null where inferred
    computed_at timestamptz not null default now(),
    primary key (week_ending, symbol)
);

-- name: function
create or replace function otc.symbol_split_as_of(
    at timestamptz, first_week date default '-infinity', last_week date default 'infinity'
) returns setof otc.symbol_split language sql stable parallel safe as $$
with price as not materialized ( -- so that one symbol reads only its own
    select week_ending, symbol, scope, average_price
    from otc.average_print_price
    where at is null and week_ending between first_week - 21 and last_week
    union all
    select week_ending, symbol, scope, average_price
    from otc.average_print_price_as_of(at, first_week - 21, last_week)
    where at is not null
),
jump as (
    select
        now.week_ending,
        now.symbol,
        now.scope,
        now.average_price as price_after,
        case when j.is_mixed then two_before.average_price else before.average_price end as price_before,
        case when j.is_mixed then before.average_price end as price_mixed,
        case when j.is_mixed then 14 else 7 end as days
    from price as now
    inner join price as before
        on before.week_ending = now.week_ending - 7 and before.symbol = now.symbol and before.scope = now.scope
    inner join price as two_before
        on two_before.week_ending = now.week_ending - 14
        and two_before.symbol = now.symbol and two_before.scope = now.scope
    left join price as three_before
        on three_before.week_ending = now.week_ending - 21
        and three_before.symbol = now.symbol and three_before.scope = now.scope
    cross join lateral (
        select false as is_mixed
        where
            greatest(now.average_price, before.average_price) > 1.35 * least(now.average_price, before.average_price)
            and abs(two_before.average_price - before.average_price) <= 0.25 * before.average_price
        union all
        select true
        where
            abs(three_before.average_price - two_before.average_price) <= 0.25 * two_before.average_price
            and (
                before.average_price > 1.08 * now.average_price and two_before.average_price > 1.08 * before.average_price
                or now.average_price > 1.08 * before.average_price and before.average_price > 1.08 * two_before.average_price
            )
    ) as j
    where
        now.week_ending between first_week and last_week
        and least(now.average_price, before.average_price) > 0
        and (before.average_price > 1.08 * now.average_price or now.average_price > 1.08 * before.average_price)
),
matched as (
    select j.*, usual.ratio
    from jump as j
    cross join lateral (
        select r.ratio
        from (
            select n::numeric(24, 12) as ratio from unnest(array[1.5, 2, 2.5, 3, 4, 5, 6, 7, 8, 10, 15, 20, 25, 30, 40, 50, 100]) as n
            union all
            select round(1 / n, 12) from unnest(array[1.5, 2, 2.5, 3, 4, 5, 6, 7, 8, 10, 15, 20, 25, 30, 40, 50, 100]) as n
        ) as r
        where abs(j.price_before - r.ratio * j.price_after) <= 0.08 * r.ratio * j.price_after
        order by abs(j.price_before / (r.ratio * j.price_after) - 1), r.ratio
        limit 1
    ) as usual
    where greatest(j.price_before, j.price_after) >= 1 -- below a dollar, prices jump by themselves
),
summary as not materialized (
    select week_ending, symbol, scope, volume_per_day
    from otc.symbol_summary
    where at is null and week_ending between first_week - 21 and last_week
    union all
    select week_ending, symbol, scope, volume_per_day
    from otc.symbol_summary_as_of(at, first_week - 21, last_week)
    where at is not null
),
given as (
    select week_ending, symbol, ratio, mixed_ratio, ex_date
    from otc.stock_split_as_of(at)
    where week_ending between first_week - 7 and last_week
),
traded as (
    select
        m.week_ending, m.symbol, m.scope, m.ratio, m.price_before, m.price_after, m.price_mixed, m.days,
        m.price_after * sum(s.volume_per_day) filter (where s.week_ending = m.week_ending) as dollars_after,
        m.price_before * sum(s.volume_per_day) filter (where s.week_ending < m.week_ending) as dollars_before
    from matched as m
    inner join summary as s
        on s.symbol = m.symbol and s.scope = m.scope and s.week_ending in (m.week_ending, m.week_ending - m.days)
    group by m.week_ending, m.symbol, m.scope, m.ratio, m.price_before, m.price_after, m.price_mixed, m.days
)
(
    select distinct on (week_ending, symbol)
        week_ending,
        symbol,
        ratio,
        round(price_mixed / price_after, 12) as mixed_ratio,
        price_before,
        price_after,
        'inferred' as source,
        null::date as ex_date,
        now() as computed_at
    from traded as t
    where
        dollars_after <= 2 * dollars_before and dollars_before <= 2 * dollars_after
        and not exists (
            select from given as g where g.symbol = t.symbol and t.week_ending between g.week_ending and g.week_ending + 7
        )
    order by week_ending, symbol, array_position(array['ALL', 'ATS', 'NON_ATS'], scope), days
)
union all
select g.week_ending, g.symbol, g.ratio, g.mixed_ratio, null, null, 'given', g.ex_date, now()
from given as g
where g.ratio <> 1 and g.week_ending >= first_week and g.week_ending in (select l.week_ending from otc.loaded_as_of(at) as l)
$$;
