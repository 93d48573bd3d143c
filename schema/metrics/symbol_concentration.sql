-- symbol_concentration: how concentrated a symbol's volume is among venues, all tiers together.
-- The Herfindahl-Hirschman index: the sum of squared percentage shares, 0 to 10,000. The volume of unnamed firms
-- (de minimis) is in the total but is no venue, so that the index is an interval, hhi to hhi_upper (one firm).
-- Bands: US Horizontal Merger Guidelines 2010 (1500, 2500) and 2023 (1000, 1800), judged before rounding.
-- reaches: 0

-- name: table
create table if not exists otc.symbol_concentration (
    week_ending date not null,
    symbol text collate "C" not null,
    scope text not null,
    venue_count int not null, -- named venues
    hhi numeric(7, 2) not null,
    hhi_upper numeric(7, 2) not null,
    effective_venues numeric, -- 10,000 / hhi before rounding, 4 decimals: huge beside much de minimis; null where hhi is 0
    top_venue_share_pct numeric(5, 2) not null,
    top3_share_pct numeric(5, 2) not null,
    de_minimis_share_pct numeric(5, 2) not null,
    concentration_level text not null,
    concentration_level_2023 text not null,
    computed_at timestamptz not null default now(),
    primary key (week_ending, symbol, scope)
);

-- name: function
create or replace function otc.symbol_concentration_as_of(
    at timestamptz, first_week date default '-infinity', last_week date default 'infinity'
) returns setof otc.symbol_concentration language sql stable parallel safe as $$
with venue as (
    select
        week_ending,
        symbol,
        venue_type,
        is_named,
        sum(volume) as volume,
        bool_and(covers_all) as covers_all
    from otc.week_volume($1, $2, $3)
    where symbol is not null
    group by week_ending, symbol, mpid, firm_crd, venue_type, is_named, unnumbered
),
scoped as (
    select
        week_ending,
        symbol,
        coalesce(venue_type, 'ALL') as scope,
        -- where one of a symbol's tiers tells ATS volume only, its other scopes are not known
        bool_and(bool_and(covers_all)) over (partition by week_ending, symbol) as covers_all,
        count(*) filter (where is_named) as venue_count,
        sum(volume) as total,
        sum(volume) * sum(volume) as square_of_total,
        coalesce(sum(volume * volume) filter (where is_named), 0) as squares,
        coalesce(sum(volume) filter (where not is_named), 0) as de_minimis,
        coalesce((array_agg(volume order by volume desc) filter (where is_named))[1:3], '{}') as top
    from venue
    group by grouping sets ((week_ending, symbol, venue_type), (week_ending, symbol))
),
banded as (
    select
        *,
        squares + de_minimis * de_minimis as squares_upper,
        (10000 * squares >= 1500 * square_of_total)::int + (10000 * squares >= 2500 * square_of_total)::int as band,
        (10000 * squares >= 1000 * square_of_total)::int + (10000 * squares >= 1800 * square_of_total)::int as band_2023
    from scoped
    where total > 0 and (scope = 'ATS' or covers_all)
),
judged as (
    select
        *,
        (10000 * squares_upper >= 1500 * square_of_total)::int
        + (10000 * squares_upper >= 2500 * square_of_total)::int as band_upper,
        (10000 * squares_upper >= 1000 * square_of_total)::int
        + (10000 * squares_upper >= 1800 * square_of_total)::int as band_2023_upper
    from banded
)
select
    week_ending,
    symbol,
    scope,
    venue_count::int,
    round(10000 * squares / square_of_total, 2) as hhi,
    round(10000 * squares_upper / square_of_total, 2) as hhi_upper,
    round(square_of_total / nullif(squares, 0), 4) as effective_venues,
    round(100 * coalesce(top[1], 0) / total, 2) as top_venue_share_pct,
    round(100 * (coalesce(top[1], 0) + coalesce(top[2], 0) + coalesce(top[3], 0)) / total, 2) as top3_share_pct,
    round(100 * de_minimis / total, 2) as de_minimis_share_pct,
    case
        when band = band_upper then (array['competitive', 'moderate', 'concentrated'])[band + 1]
        else 'indeterminate'
    end as concentration_level,
    case
        when band_2023 = band_2023_upper then (array['competitive', 'moderate', 'concentrated'])[band_2023 + 1]
        else 'indeterminate'
    end as concentration_level_2023,
    now() as computed_at
from judged
$$;
