-- A reject keeps its symbol, so that what was set aside of a symbol is not taken for no volume; and where a capture has
-- more rejects than are kept one by one, a last row stands for the others.
alter table otc.reject
    add column symbol text collate "C", -- null where it cannot be determined
    add column lines int not null default 1; -- how many the row stands for
create index reject_symbol on otc.reject (week_ending, symbol) where symbol is not null;

-- Sums of the largest quantities that a record may have fit. More digits before the point rewrite no row.
alter table if exists otc.symbol_summary
    alter column total_volume type numeric(30, 6),
    alter column total_notional type numeric(34, 6),
    alter column avg_trade_size type numeric(30, 6),
    alter column volume_per_day type numeric(30, 6);
alter table if exists otc.venue_share
    alter column total_volume type numeric(30, 6);
alter table if exists otc.symbol_rolling_avg
    alter column avg_6w_volume type numeric(30, 6),
    alter column avg_6w_trades type numeric(30, 6),
    alter column current_volume type numeric(30, 6);

create type otc.week_symbol as (week_ending date, symbol text collate "C");
