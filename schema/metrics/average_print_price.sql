-- average_print_price: the average price of a share of a symbol in a week, all tiers together: notional / shares.
-- No row where there are no shares, where a tier of the symbol lacks the notional of a record (as files do), or where
-- it covers ATSs only and the scope is another.
-- formula: average_price = the sum of notional / the sum of share_volume
-- reaches: 0

-- name: table
create table if not exists otc.average_print_price (
    week_ending date not null,
    symbol text collate "C" not null,
    scope text not null,
    average_price numeric(38, 6) not null, -- dollars a share
    computed_at timestamptz not null default now(),
    primary key (week_ending, symbol, scope)
);

-- name: function
create or replace function otc.average_print_price_as_of(
    at timestamptz, first_week date default '-infinity', last_week date default 'infinity'
) returns setof otc.average_print_price language sql stable parallel safe as $$
select
    week_ending,
    symbol,
    scope,
    round(notional / volume, 6) as average_price,
    now() as computed_at
from otc.week_symbols(at, first_week, last_week)
where is_all_tiers and notional is not null and volume > 0
$$;
