-- off_exchange_share: how much of all trading in a symbol is off exchange in a week, all tiers together.
-- All trading is from files of consolidated volume that users import. Only where a file has every trading day of the week, and
-- both venue types of the symbol are known. A share above 100 %, or one that jumps by a whole factor against the week before,
-- as where a vendor adjusted earlier volume for a split, is flagged and not corrected.
-- formula: off_exchange_share_pct = 100 x the symbol's volume in FINRA's records / its consolidated volume
-- reaches: 1, over stored rows only
-- reads: off_exchange_share, symbol_summary

-- name: table
create table if not exists otc.off_exchange_share (
    week_ending date not null,
    symbol text collate "C" not null,
    source text collate "C" not null, -- of the consolidated volume
    consolidated_volume numeric(30, 6) not null, -- shares
    off_exchange_volume numeric(30, 6) not null, -- shares
    ats_volume numeric(30, 6) not null,
    off_exchange_share_pct numeric(20, 4), -- null without volume
    ats_share_pct numeric(20, 4),
    is_above_100 boolean not null,
    jump_factor int, -- the whole factor by which the share rose or fell; null where it did not
    trading_days int not null,
    computed_at timestamptz not null default now(),
    primary key (week_ending, symbol, source)
);

-- name: function
create or replace function otc.off_exchange_share_as_of(
    at timestamptz, first_week date default '-infinity', last_week date default 'infinity'
) returns setof otc.off_exchange_share language sql stable parallel safe as $$
with consolidated as materialized (
    select
        otc_internal.week_of(v.day) as week_ending,
        v.symbol,
        v.source,
        sum(v.volume) as volume,
        count(*) as days
    from otc.consolidated_volume_as_of(at) as v
    where v.day between first_week - case when at is null then 4 else 11 end and last_week + 2
    group by otc_internal.week_of(v.day), v.symbol, v.source
),
week as (
    select distinct c.week_ending, d.trading_days
    from consolidated as c
    inner join otc.trading_week as d on d.week_ending = c.week_ending and d.trading_days = c.days
),
summary as (
    select s.week_ending, s.tier, s.symbol, s.scope, s.total_volume
    from week as w
    cross join (values ('T1'), ('T2'), ('OTCE')) as t (tier)
    inner join otc.symbol_summary as s on s.week_ending = w.week_ending and s.tier = t.tier
    where at is null
    union all
    select s.week_ending, s.tier, s.symbol, s.scope, s.total_volume
    from week as w
    cross join lateral otc.symbol_summary_as_of(at, w.week_ending, w.week_ending) as s
    where at is not null
),
traded as (
    select
        week_ending,
        symbol,
        sum(total_volume) filter (where scope = 'ALL') as volume,
        coalesce(sum(total_volume) filter (where scope = 'ATS'), 0) as ats_volume
    from summary
    group by week_ending, symbol
    having count(distinct tier) = count(*) filter (where scope = 'ALL')
),
share as (
    select
        c.week_ending,
        c.symbol,
        c.source,
        c.volume as consolidated,
        t.volume,
        t.ats_volume,
        t.volume / nullif(c.volume, 0) as fraction,
        d.trading_days
    from consolidated as c
    inner join otc.trading_week as d on d.week_ending = c.week_ending and d.trading_days = c.days
    inner join traded as t on t.week_ending = c.week_ending and t.symbol = c.symbol
),
known as ( -- the week before is read from its stored rows
    select * from share
    union all
    select week_ending, symbol, source, null, null, null, off_exchange_volume / nullif(consolidated_volume, 0), null
    from otc.off_exchange_share
    where at is null and week_ending = first_week - 7
),
beside as ( -- no join, so that the records of one symbol are read for it alone
    select *, lag(week_ending) over by_symbol as week_before, lag(fraction) over by_symbol as fraction_before
    from known
    window by_symbol as (partition by symbol, source order by week_ending)
),
jump as (
    select *,
        case when week_before = week_ending - 7 then
            greatest(fraction / nullif(fraction_before, 0), fraction_before / nullif(fraction, 0))
        end as factor
    from beside
    where week_ending between first_week and last_week
)
select
    week_ending,
    symbol,
    source,
    consolidated,
    volume,
    ats_volume,
    round(100 * fraction, 4),
    round(100 * ats_volume / nullif(consolidated, 0), 4),
    volume > consolidated,
    case when round(factor) between 2 and 1000 and abs(factor - round(factor)) <= round(factor) / 50 then round(factor)::int end,
    trading_days,
    now()
from jump
$$;
