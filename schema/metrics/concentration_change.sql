-- concentration_change: why a symbol's concentration differs from the week before, and how wide its bounds are, all tiers
-- together. The change of the index is the sum of three parts: venues that entered, venues that left, and the shares that moved
-- among those that stayed. A venue is its MPID, else its CRD number, else its name.
-- The index of the named venues alone is normalized: 0 where all are equal, 1 where one has all. The bounds differ in what the
-- unnamed volume is: of many small firms (hhi), of one firm (hhi_upper), or of the largest named venue (hhi_largest).
-- A change is null where the week before has no volume of the scope, or does not cover it.
-- formula: from_entry = 10,000 x the sum of (volume of a venue that entered)^2 / (total volume)^2; hhi_normalized = (H - 1/N) / (1 - 1/N)
-- reaches: 1, over stored rows only, deferred

-- name: table
create table if not exists otc.concentration_change (
    week_ending date not null,
    symbol text collate "C" not null,
    scope text not null,
    hhi numeric(7, 2) not null,
    hhi_change numeric(7, 2),
    from_entry numeric(7, 2),
    from_exit numeric(7, 2),
    from_reallocation numeric(7, 2),
    entries int, -- venues
    exits int,
    hhi_normalized numeric(7, 6), -- 0 to 1; null below two venues or without volume of them
    hhi_upper numeric(7, 2) not null,
    hhi_largest numeric(7, 2) not null,
    computed_at timestamptz not null default now(),
    primary key (week_ending, symbol, scope)
);

-- name: function
create or replace function otc.concentration_change_as_of(
    at timestamptz, first_week date default '-infinity', last_week date default 'infinity'
) returns setof otc.concentration_change language sql stable parallel safe as $$
with venue as (
    select
        week_ending,
        symbol,
        venue_type,
        mpid,
        case when mpid is null then firm_crd end as number,
        unnumbered,
        is_named,
        sum(volume) as volume,
        bool_and(covers_all) as covers_all
    from otc_internal.counted_as_of(at, first_week - 7, last_week, null)
    where symbol is not null
    group by 1, 2, 3, 4, 5, 6, 7
),
paired as ( -- a venue's volume in a week and in the one before
    select
        v.week_ending + side.days as week_ending,
        v.symbol,
        v.venue_type,
        v.is_named,
        sum(v.volume) filter (where side.days = 0) as now,
        sum(v.volume) filter (where side.days = 7) as before,
        bool_and(v.covers_all) filter (where side.days = 0) as covers_now,
        bool_and(v.covers_all) filter (where side.days = 7) as covers_before
    from venue as v
    cross join (values (0), (7)) as side (days)
    where v.week_ending + side.days between first_week and last_week
    group by v.week_ending + side.days, v.symbol, v.venue_type, v.mpid, v.number, v.unnumbered, v.is_named
),
summed as (
    select
        week_ending,
        symbol,
        coalesce(bool_and(bool_and(covers_now)) over by_symbol, false) as covers_now,
        coalesce(bool_and(bool_and(covers_before)) over by_symbol, false) as covers_before,
        venue_type,
        sum(now) as now,
        sum(before) as before,
        coalesce(sum(now) filter (where not is_named), 0) as unnamed,
        count(now) filter (where is_named) as venues,
        coalesce(max(now) filter (where is_named), 0) as largest,
        coalesce(sum(now * now) filter (where is_named and before is null), 0) as entered,
        coalesce(sum(before * before) filter (where is_named and now is null), 0) as left_,
        coalesce(sum(now * now) filter (where is_named and before is not null), 0) as stayed_now,
        coalesce(sum(before * before) filter (where is_named and now is not null), 0) as stayed_before,
        count(*) filter (where is_named and before is null) as entries,
        count(*) filter (where is_named and now is null) as exits
    from paired
    group by week_ending, symbol, venue_type
    window by_symbol as (partition by week_ending, symbol)
),
scoped as (
    select
        s.week_ending,
        s.symbol,
        scope.name as scope,
        bool_and(otc_internal.is_scope_known(scope.name, s.covers_before)) as is_comparable,
        sum(s.now) as now,
        sum(s.before) as before,
        sum(s.unnamed) as unnamed,
        sum(s.venues) as venues,
        max(s.largest) as largest,
        sum(s.entered) as entered,
        sum(s.left_) as left_,
        sum(s.stayed_now) as stayed_now,
        sum(s.stayed_before) as stayed_before,
        sum(s.entries) as entries,
        sum(s.exits) as exits
    from summed as s
    cross join lateral (values (s.venue_type), ('ALL')) as scope (name)
    where otc_internal.is_scope_known(scope.name, s.covers_now)
    group by s.week_ending, s.symbol, scope.name
    having sum(s.now) > 0
),
compared as (
    select
        *,
        now * now as total,
        entered + stayed_now as squares,
        now - unnamed as named,
        case when is_comparable then nullif(before * before, 0) end as total_before
    from scoped
)
select
    week_ending,
    symbol,
    scope,
    round(10000 * squares / total, 2) as hhi,
    round(10000 * (squares * total_before - (left_ + stayed_before) * total) / (total * total_before), 2) as hhi_change,
    case when total_before is not null then round(10000 * entered / total, 2) end as from_entry,
    round(-10000 * left_ / total_before, 2) as from_exit,
    round(10000 * (stayed_now * total_before - stayed_before * total) / (total * total_before), 2) as from_reallocation,
    case when total_before is not null then entries end::int as entries,
    case when total_before is not null then exits end::int as exits,
    case when venues > 1 and named > 0 then
        round((squares * venues - named * named) / (named * named * (venues - 1)), 6)
    end as hhi_normalized,
    round(10000 * (squares + unnamed * unnamed) / total, 2) as hhi_upper,
    round(10000 * (squares + 2 * largest * unnamed + unnamed * unnamed) / total, 2) as hhi_largest,
    now() as computed_at
from compared
$$;
