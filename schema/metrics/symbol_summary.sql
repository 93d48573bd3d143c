-- symbol_summary: what was traded of a symbol in one week, on one tier, by scope.
-- reaches: 0

-- name: table
create table if not exists otc.symbol_summary (
    week_ending date not null,
    tier text collate "C" not null,
    symbol text collate "C" not null,
    scope text not null,
    total_volume numeric(24, 6) not null, -- shares
    total_trades bigint not null,
    total_notional numeric(28, 6), -- dollars; null where a capture lacks it
    venue_count int not null, -- named venues
    avg_trade_size numeric(20, 6), -- shares a trade; null without trades
    computed_at timestamptz not null default now(),
    primary key (week_ending, tier, symbol, scope)
);

-- name: rows
create temporary table computed on commit drop as
with scoped as (
    select
        tier,
        symbol,
        coalesce(venue_type, 'ALL') as scope,
        sum(volume) as total_volume,
        sum(trades) as total_trades,
        case when count(notional) = count(*) then sum(notional) end as total_notional,
        count(*) filter (where is_named) as venue_count
    from week_volume
    where symbol is not null
    group by grouping sets ((tier, symbol, venue_type), (tier, symbol))
)
select
    %(week)s::date as week_ending,
    s.tier,
    s.symbol,
    s.scope,
    s.total_volume,
    s.total_trades,
    s.total_notional,
    s.venue_count,
    round(s.total_volume / nullif(s.total_trades, 0), 6) as avg_trade_size
from scoped as s
inner join otc.loaded_partition as p on p.week_ending = %(week)s and p.tier = s.tier
where s.scope = 'ATS' or p.covers_all;
