-- symbol_summary: what was traded of a symbol in one week, on one tier, by scope.
-- formula: total_volume, total_trades = the sums of share_volume, trade_count; avg_trade_size = volume / trades
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
    ats_fraction numeric(7, 6), -- of the volume, 0 to 1: with scope ALL only; null where there is no volume
    volume_per_day numeric(24, 6), -- shares a trading day of the week
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
    scope.name,
    scope.volume,
    scope.trades::bigint,
    scope.notional,
    scope.venues::int,
    round(scope.volume / nullif(scope.trades, 0), 6) as avg_trade_size,
    case when scope.name = 'ALL' then round(coalesce(s.ats_volume, 0) / nullif(scope.volume, 0), 6) end as ats_fraction,
    round(scope.volume / t.trading_days, 6) as volume_per_day,
    now() as computed_at
from (
    select
        week_ending,
        tier,
        symbol,
        bool_and(covers_all) as covers_all,
        sum(volume) filter (where venue_type = 'ATS') as ats_volume,
        sum(trades) filter (where venue_type = 'ATS') as ats_trades,
        case
            when count(*) filter (where venue_type = 'ATS' and notional is null) = 0
                then sum(notional) filter (where venue_type = 'ATS')
        end as ats_notional,
        count(*) filter (where venue_type = 'ATS' and is_named and is_first_on_tier) as ats_venues,
        sum(volume) filter (where venue_type = 'NON_ATS') as other_volume,
        sum(trades) filter (where venue_type = 'NON_ATS') as other_trades,
        case
            when count(*) filter (where venue_type = 'NON_ATS' and notional is null) = 0
                then sum(notional) filter (where venue_type = 'NON_ATS')
        end as other_notional,
        count(*) filter (where venue_type = 'NON_ATS' and is_named and is_first_on_tier) as other_venues,
        sum(volume) as volume,
        sum(trades) as trades,
        case when count(notional) = count(*) then sum(notional) end as notional,
        count(*) filter (where is_named and is_first_on_tier) as venues
    from otc.week_volume($1, $2, $3)
    where symbol is not null
    group by week_ending, tier, symbol
) as s
left join otc.trading_week as t on t.week_ending = s.week_ending
cross join lateral (
    values
    ('ATS', s.ats_volume, s.ats_trades, s.ats_notional, s.ats_venues),
    ('NON_ATS', s.other_volume, s.other_trades, s.other_notional, s.other_venues),
    ('ALL', s.volume, s.trades, s.notional, s.venues)
) as scope (name, volume, trades, notional, venues)
where scope.volume is not null and (scope.name = 'ATS' or s.covers_all)
$$;
