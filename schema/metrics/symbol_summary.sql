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

-- name: function
create or replace function otc.symbol_summary_as_of(
    at timestamptz, first_week date default '-infinity', last_week date default 'infinity'
) returns setof otc.symbol_summary language sql stable parallel safe as $$
select
    s.week_ending,
    s.tier,
    s.symbol,
    s.scope,
    s.total_volume,
    s.total_trades::bigint,
    s.total_notional,
    s.venue_count::int,
    round(s.total_volume / nullif(s.total_trades, 0), 6) as avg_trade_size,
    now() as computed_at
from (
    select
        week_ending,
        tier,
        symbol,
        coalesce(venue_type, 'ALL') as scope,
        bool_and(covers_all) as covers_all,
        sum(volume) as total_volume,
        sum(trades) as total_trades,
        case when count(notional) = count(*) then sum(notional) end as total_notional,
        count(*) filter (where is_named) as venue_count
    from otc.week_volume($1, $2, $3)
    where symbol is not null
    group by grouping sets ((week_ending, tier, symbol, venue_type), (week_ending, tier, symbol))
) as s
where s.scope = 'ATS' or s.covers_all
$$;
