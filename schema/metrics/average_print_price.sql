-- average_print_price: what a share of a symbol cost on average in a week, all tiers together: notional / shares.
-- No row where there are no shares, where a tier of the symbol lacks the notional of a record (as files do), or where
-- it tells ATS volume only and the scope is another.
-- formula: average_price = total_notional / total_volume
-- reaches: 0
-- reads: symbol_summary

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
with summary as (
    select week_ending, tier, symbol, scope, total_volume, total_notional
    from otc.symbol_summary
    where $1 is null and week_ending between $2 and $3
    union all
    select week_ending, tier, symbol, scope, total_volume, total_notional
    from otc.symbol_summary_as_of($1, $2, $3)
    where $1 is not null
),
summed as (
    select
        s.week_ending,
        s.symbol,
        s.scope,
        sum(s.total_volume) as volume,
        case when count(s.total_notional) = count(*) then sum(s.total_notional) end as notional,
        bool_and(bool_and(l.covers_all)) over (partition by s.week_ending, s.symbol) as is_covered
    from summary as s
    inner join otc.loaded_as_of($1) as l on l.week_ending = s.week_ending and l.tier = s.tier
    group by s.week_ending, s.symbol, s.scope
)
select
    week_ending,
    symbol,
    scope,
    round(notional / volume, 6) as average_price,
    now() as computed_at
from summed
where notional is not null and volume > 0 and (scope = 'ATS' or is_covered)
$$;
