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
with source as not materialized ( -- what was known: read once, however the rest is planned; of one symbol only its own
    select week_ending, symbol, scope, average_price, null::numeric as volume_per_day
    from otc.average_print_price_as_of(at, first_week - 21, last_week)
    where at is not null
    union all
    select week_ending, symbol, scope, null, volume_per_day
    from otc.symbol_summary_as_of(at, first_week - 21, last_week)
    where at is not null
),
week as (
    select week_ending, symbol, scope, max(average_price) as price, sum(volume_per_day) as volume
    from source
    group by symbol, scope, week_ending
),
compared as ( -- with one, two and three weeks before, of which each frame has one at most
    select
        week_ending, symbol, scope, price, volume,
        max(price) over one as price_1, max(volume) over one as volume_1,
        max(price) over two as price_2, max(volume) over two as volume_2,
        max(price) over three as price_3
    from week
    window
        one as (partition by symbol, scope order by week_ending range between '7 days' preceding and '7 days' preceding),
        two as (partition by symbol, scope order by week_ending range between '14 days' preceding and '14 days' preceding),
        three as (partition by symbol, scope order by week_ending range between '21 days' preceding and '21 days' preceding)
    union all -- as stored; the volumes are read where they matter
    select
        now.week_ending, now.symbol, now.scope, now.average_price, null, before.average_price, null,
        two_before.average_price, null, three_before.average_price
    from otc.average_print_price as now
    inner join otc.average_print_price as before
        on before.week_ending = now.week_ending - 7 and before.symbol = now.symbol and before.scope = now.scope
        and before.week_ending between first_week - 21 and last_week
    inner join otc.average_print_price as two_before
        on two_before.week_ending = now.week_ending - 14 and two_before.symbol = now.symbol and two_before.scope = now.scope
        and two_before.week_ending between first_week - 21 and last_week
    left join otc.average_print_price as three_before
        on three_before.week_ending = now.week_ending - 21 and three_before.symbol = now.symbol and three_before.scope = now.scope
        and three_before.week_ending between first_week - 21 and last_week
    where at is null and now.week_ending between first_week and last_week
),
jump as (
    select
        c.week_ending,
        c.symbol,
        c.scope,
        c.price as price_after,
        c.volume as volume_after,
        case when j.is_mixed then c.price_2 else c.price_1 end as price_before,
        case when j.is_mixed then c.volume_2 else c.volume_1 end as volume_before,
        case when j.is_mixed then c.price_1 end as price_mixed,
        case when j.is_mixed then 14 else 7 end as days
    from compared as c
    cross join lateral (
        select false as is_mixed
        where
            greatest(c.price, c.price_1) > 1.35 * least(c.price, c.price_1)
            and abs(c.price_2 - c.price_1) <= 0.25 * c.price_1
        union all
        select true
        where
            abs(c.price_3 - c.price_2) <= 0.25 * c.price_2
            and (
                c.price_1 > 1.08 * c.price and c.price_2 > 1.08 * c.price_1
                or c.price > 1.08 * c.price_1 and c.price_1 > 1.08 * c.price_2
            )
    ) as j
    where
        c.week_ending between first_week and last_week
        and c.price > 0 and c.price_1 > 0 and c.price_2 is not null
        and (c.price_1 > 1.08 * c.price or c.price > 1.08 * c.price_1)
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
traded as (
    select
        m.*,
        m.price_after * coalesce(m.volume_after, stored.volume_after) as dollars_after,
        m.price_before * coalesce(m.volume_before, stored.volume_before) as dollars_before
    from matched as m
    cross join lateral (
        select
            sum(s.volume_per_day) filter (where s.week_ending = m.week_ending) as volume_after,
            sum(s.volume_per_day) filter (where s.week_ending < m.week_ending) as volume_before
        from otc.symbol_summary as s
        where
            at is null and s.week_ending in (m.week_ending, m.week_ending - m.days)
            and s.tier in ('T1', 'T2', 'OTCE') and s.symbol = m.symbol and s.scope = m.scope
    ) as stored
),
given as (
    select week_ending, symbol, ratio, mixed_ratio, ex_date
    from otc.stock_split_as_of(at)
    where week_ending between first_week - 7 and last_week
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
