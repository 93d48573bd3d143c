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

-- name: rows
create temporary table computed on commit drop as
with uncovered as ( -- where one of a symbol's tiers tells ATS volume only, its other scopes are not known
    select distinct symbol from week_volume where symbol is not null and not covers_all
),
venue as (
    select
        symbol,
        venue_type,
        is_named,
        sum(volume) as volume
    from week_volume
    where symbol is not null
    group by symbol, mpid, firm_crd, venue_type, is_named, unnumbered
),
typed as (
    select
        symbol,
        venue_type as scope,
        count(*) filter (where is_named) as venue_count,
        sum(volume) as total,
        coalesce(sum(volume * volume) filter (where is_named), 0) as squares,
        coalesce(sum(volume) filter (where not is_named), 0) as de_minimis,
        coalesce((array_agg(volume order by volume desc) filter (where is_named))[1:3], '{}') as top
    from venue
    group by symbol, venue_type
),
scoped as (
    select * from typed
    union all
    select
        symbol,
        'ALL',
        coalesce(a.venue_count, 0) + coalesce(n.venue_count, 0),
        coalesce(a.total, 0) + coalesce(n.total, 0),
        coalesce(a.squares, 0) + coalesce(n.squares, 0),
        coalesce(a.de_minimis, 0) + coalesce(n.de_minimis, 0),
        (select array_agg(v order by v desc) from unnest(a.top || n.top) as v)
    from (select * from typed where scope = 'ATS') as a
    full join (select * from typed where scope = 'NON_ATS') as n using (symbol)
),
banded as (
    select
        *,
        total * total as square_of_total,
        squares + de_minimis * de_minimis as squares_upper,
        (10000 * squares >= 1500 * total * total)::int + (10000 * squares >= 2500 * total * total)::int as band,
        (10000 * squares >= 1000 * total * total)::int + (10000 * squares >= 1800 * total * total)::int as band_2023
    from scoped
    where total > 0 and (scope = 'ATS' or symbol not in (select u.symbol from uncovered as u))
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
    %(week)s::date as week_ending,
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
    end as concentration_level_2023
from judged;
