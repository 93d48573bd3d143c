-- symbol_concentration: how concentrated a symbol's volume is among venues, all tiers together.
-- The Herfindahl-Hirschman index: the sum of squared percentage shares, 0 to 10,000. The volume of unnamed firms (de
-- minimis, an ATS without MPID) is in the total but is no venue, so that the index is an interval, hhi to hhi_upper (one
-- firm).
-- Bands: US Horizontal Merger Guidelines 2010 (1500, 2500) and 2023 (1000, 1800), judged before rounding.
-- formula: hhi = 10,000 x the sum of (a named venue's volume)^2 / (total volume)^2
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
with squared as (
    select s.*, i.*
    from otc.week_symbols(at, first_week, last_week) as s
    cross join lateral (
        select
            s.volume * s.volume as total,
            10000 * s.squares as points,
            10000 * (s.squares + s.de_minimis * s.de_minimis) as points_upper
        offset 0 -- each product once, not at every place that names it
    ) as i
    where s.is_all_tiers and s.volume > 0
),
banded as ( -- by products, which are exact, and quicker than a quotient
    select
        *,
        (points >= 1500 * total)::int + (points >= 2500 * total)::int as band,
        (points >= 1000 * total)::int + (points >= 1800 * total)::int as band_2023,
        (points_upper >= 1500 * total)::int + (points_upper >= 2500 * total)::int as band_upper,
        (points_upper >= 1000 * total)::int + (points_upper >= 1800 * total)::int as band_2023_upper
    from squared
)
select
    week_ending,
    symbol,
    scope,
    venue_count,
    round(points / total, 2) as hhi,
    round(points_upper / total, 2) as hhi_upper,
    round(total / nullif(squares, 0), 4) as effective_venues,
    round(100 * coalesce(top[1], 0) / volume, 2) as top_venue_share_pct,
    round(100 * (coalesce(top[1], 0) + coalesce(top[2], 0) + coalesce(top[3], 0)) / volume, 2) as top3_share_pct,
    round(100 * de_minimis / volume, 2) as de_minimis_share_pct,
    case
        when band = band_upper then (array['competitive', 'moderate', 'concentrated'])[band + 1]
        else 'indeterminate'
    end as concentration_level,
    case
        when band_2023 = band_2023_upper then (array['competitive', 'moderate', 'concentrated'])[band_2023 + 1]
        else 'indeterminate'
    end as concentration_level_2023,
    now() as computed_at
from banded
$$;
