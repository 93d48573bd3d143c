-- symbol_summary: what was traded of a symbol in one week, on one tier, by scope.
-- formula: total_volume, total_trades = the sums of share_volume, trade_count; avg_trade_size = volume / trades
-- reaches: 0

-- name: table
create table if not exists otc.symbol_summary (
    week_ending date not null,
    tier text collate "C" not null,
    symbol text collate "C" not null,
    scope text not null,
    total_volume numeric(30, 6) not null, -- shares
    total_trades bigint not null,
    total_notional numeric(34, 6), -- dollars; null where a capture lacks it
    venue_count int not null, -- named venues
    avg_trade_size numeric(30, 6), -- shares a trade; null without trades
    ats_fraction numeric(7, 6), -- of the volume, 0 to 1: with scope ALL only; null where there is no volume
    volume_per_day numeric(30, 6), -- shares a trading day of the week
    computed_at timestamptz not null default now(),
    primary key (week_ending, tier, symbol, scope)
);

-- name: function
create or replace function otc.symbol_summary_as_of(
    at timestamptz, first_week date default '-infinity', last_week date default 'infinity'
) returns setof otc.symbol_summary language sql stable parallel safe as $$
select
    s.week_ending,
    s.tier,
    s.symbol,
    s.scope,
    s.volume,
    s.trades,
    s.notional,
    s.venue_count,
    round(s.volume / nullif(s.trades, 0), 6) as avg_trade_size,
    case when s.scope = 'ALL' then round(s.ats_volume / nullif(s.volume, 0), 6) end as ats_fraction,
    round(s.volume / t.trading_days, 6) as volume_per_day,
    now() as computed_at
from otc.week_symbols(at, first_week, last_week) as s
left join otc.trading_week as t on t.week_ending = s.week_ending
where s.tier is not null
$$;
