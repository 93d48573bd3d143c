-- Notional and average trade size of venues, and the rows of their shares of symbols.

-- Sums by venue as they were at a moment lack the notional: they are made again,
-- and so are the metric's rows.
drop table otc_internal.venue_sum_history;
alter table otc_internal.venue_sum add notional numeric; -- null where a record lacks it

create table otc_internal.venue_sum_history (
    week_ending date not null,
    known_from timestamptz not null,
    captures text[] not null, -- what they follow from
    sums otc_internal.venue_sum[] not null,
    primary key (week_ending, known_from)
);

alter table if exists otc.venue_share
add total_notional numeric(34, 6),
add avg_trade_size numeric(30, 6),
drop computed_at, -- the last column of every metric
add computed_at timestamptz not null default now();

insert into otc_internal.metric_due (week_ending, metric, over_stored)
select c.week_ending, 'venue_share', s.over_stored
from (select distinct week_ending from otc.capture where persisted_at is not null) as c
cross join (values (false), (true)) as s (over_stored)
on conflict do nothing;

create type otc.symbol_venue_share as (
    week_ending date,
    symbol text collate "C",
    scope text,
    mpid text collate "C",
    firm_crd int,
    venue_name text collate "C", -- the last by alphabet, should the venue have several in the week
    total_volume numeric(30, 6), -- shares
    total_trades bigint,
    total_notional numeric(34, 6), -- dollars; null where a record lacks it
    avg_trade_size numeric(30, 6), -- shares a trade; null without trades
    share_pct numeric(7, 4), -- of the scope's volume in the symbol
    rank int, -- by volume; equals share a rank
    share_change_1w_pts numeric(7, 4), -- share_pct less that of one week before, in percentage points
    share_change_4w_pts numeric(7, 4), -- of four weeks before
    share_change_13w_pts numeric(7, 4), -- of thirteen
    share_change_1w_bps numeric(9, 2), -- the same in basis points
    share_change_4w_bps numeric(9, 2),
    share_change_13w_bps numeric(9, 2)
);
