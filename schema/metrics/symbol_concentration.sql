-- symbol_concentration: how concentrated a symbol's volume is among venues, all tiers together.
-- The Herfindahl-Hirschman index: the sum of squared percentage shares, 0 to 10,000. The volume of unnamed firms
-- (de minimis) is in the total but is no venue, so that the index is an interval, hhi to hhi_upper (one firm).
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
with venue as ( -- its volume on all tiers stands on the first of its records
    select week_ending, symbol, venue_type, is_named, symbol_volume as volume, covers_all
    from otc.week_volume($1, $2, $3)
    where symbol is not null
),
summed as ( -- one pass for the three scopes
    select
        week_ending,
        symbol,
        bool_and(covers_all) as covers_all, -- where one tier tells ATS volume only, other scopes are not known
        count(volume) filter (where is_named and venue_type = 'ATS') as ats_count,
        sum(volume) filter (where venue_type = 'ATS') as ats_total,
        sum(volume * volume) filter (where is_named and venue_type = 'ATS') as ats_squares,
        sum(volume) filter (where not is_named and venue_type = 'ATS') as ats_de_minimis,
        (array_agg(volume order by volume desc nulls last) filter (where is_named and venue_type = 'ATS'))[1:3] as ats_top,
        count(volume) filter (where is_named and venue_type = 'NON_ATS') as other_count,
        sum(volume) filter (where venue_type = 'NON_ATS') as other_total,
        sum(volume * volume) filter (where is_named and venue_type = 'NON_ATS') as other_squares,
        sum(volume) filter (where not is_named and venue_type = 'NON_ATS') as other_de_minimis,
        (array_agg(volume order by volume desc nulls last) filter (where is_named and venue_type = 'NON_ATS'))[1:3] as other_top,
        count(volume) filter (where is_named) as all_count,
        sum(volume) as all_total,
        sum(volume * volume) filter (where is_named) as all_squares,
        sum(volume) filter (where not is_named) as all_de_minimis,
        (array_agg(volume order by volume desc nulls last) filter (where is_named))[1:3] as all_top
    from venue
    group by symbol, week_ending -- sorted in this order, which is quicker
),
scoped as (
    select
        s.week_ending,
        s.symbol,
        scope.name as scope,
        scope.venue_count,
        scope.total,
        scope.total * scope.total as square_of_total,
        coalesce(scope.squares, 0) as squares,
        coalesce(scope.de_minimis, 0) as de_minimis,
        scope.top
    from summed as s
    cross join lateral (
        values
        ('ATS', s.ats_count, s.ats_total, s.ats_squares, s.ats_de_minimis, s.ats_top),
        ('NON_ATS', s.other_count, s.other_total, s.other_squares, s.other_de_minimis, s.other_top),
        ('ALL', s.all_count, s.all_total, s.all_squares, s.all_de_minimis, s.all_top)
    ) as scope (name, venue_count, total, squares, de_minimis, top)
    where scope.total > 0 and (scope.name = 'ATS' or s.covers_all)
),
indexed as ( -- whole points are enough to judge by, and exact
    select
        *,
        squares + de_minimis * de_minimis as squares_upper,
        div(10000 * squares, square_of_total) as points,
        div(10000 * (squares + de_minimis * de_minimis), square_of_total) as points_upper
    from scoped
    offset 0 -- each division once, not at every place that names it: a fifth of the time
),
banded as (
    select
        *,
        (points >= 1500)::int + (points >= 2500)::int as band,
        (points >= 1000)::int + (points >= 1800)::int as band_2023,
        (points_upper >= 1500)::int + (points_upper >= 2500)::int as band_upper,
        (points_upper >= 1000)::int + (points_upper >= 1800)::int as band_2023_upper
    from indexed
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
from banded
$$;
