-- venue_share: each named venue's share of a week's volume, by tier and scope, its rank, and how both changed.
-- A venue is its MPID, else its CRD number, else its name. The unnamed firms (de minimis) and an ATS without MPID are in
-- the total and are no venue. ALL_TIERS where all three tiers are loaded.
-- A change is null where the venue had no row in the week to compare with. Other weeks read only the share and the rank of a
-- row, which depend on its own records alone.
-- formula: market_share_pct = 100 x the venue's volume / the volume of its tier and scope
-- reaches: 13, over stored rows
-- reads: venue_share

-- name: table
create table if not exists otc.venue_share (
    week_ending date not null,
    tier text collate "C" not null, -- or ALL_TIERS
    scope text not null,
    mpid text collate "C",
    firm_crd int,
    venue_name text collate "C",
    total_volume numeric(30, 6) not null, -- shares
    total_trades bigint not null,
    symbol_count int not null,
    market_share_pct numeric(7, 4) not null, -- of the scope's volume on the tier
    rank int not null, -- by volume; equals share a rank
    rank_change int, -- against the week before, positive is up
    share_change_1w_pts numeric(7, 4), -- market_share_pct less that of one week before, in percentage points
    share_change_4w_pts numeric(7, 4), -- of four weeks before
    share_change_13w_pts numeric(7, 4), -- of thirteen
    total_notional numeric(34, 6), -- dollars; null where a record lacks it
    avg_trade_size numeric(30, 6), -- shares a trade; null without trades
    computed_at timestamptz not null default now(),
    unique nulls not distinct (week_ending, tier, scope, mpid, firm_crd, venue_name)
);

-- name: function
create or replace function otc.venue_share_as_of(
    at timestamptz, first_week date default '-infinity', last_week date default 'infinity'
) returns setof otc.venue_share language sql stable parallel safe as $$
with loaded as (
    select week_ending, tier, covers_all from otc.loaded_as_of(at) where week_ending between first_week - 91 and last_week
),
sets as (
    select week_ending, tier, covers_all from loaded
    union all
    select week_ending, 'ALL_TIERS', bool_and(covers_all) from loaded group by week_ending having count(*) = 3
),
week as ( -- those asked for, and those to compare with
    select distinct asked.week_ending - back.days as week_ending
    from loaded as asked
    cross join (values (0), (7), (28), (91)) as back (days)
    where asked.week_ending between first_week and last_week and at is not null
),
traded as ( -- names are joined to the few sums only
    select * from otc_internal.venue_sum where at is null and week_ending between first_week and last_week
    union all
    select v.*
    from week as w
    cross join lateral otc_internal.venues_as_of(at, w.week_ending, w.week_ending, null, null) as v
    where w.week_ending between first_week and last_week
    union all
    select v.*
    from week as w
    cross join lateral otc_internal.compared_venues_as_of(at, w.week_ending) as v
    where w.week_ending not between first_week and last_week
),
named as (
    select
        v.*,
        n.name as venue_name,
        case when v.mpid is null then v.firm_crd end as number,
        case when v.mpid is null and v.firm_crd is null then n.name end as unnumbered
    from traded as v
    left join otc_internal.name as n on n.name_id = v.venue_name_id
),
venue as (
    select
        week_ending,
        coalesce(tier, 'ALL_TIERS') as tier,
        venue_type,
        mpid,
        max(firm_crd) as firm_crd, -- where an ATS has one on some rows
        is_named,
        max(venue_name) as venue_name, -- the last by alphabet, should a venue have several in a week
        sum(volume) as total_volume,
        sum(trades) as total_trades,
        case when count(*) = count(notional) then sum(notional) end as total_notional,
        case when grouping(tier) = 0 then sum(symbols_on_tier) else sum(symbols) end as symbol_count
    from named
    group by grouping sets (
        (week_ending, tier, venue_type, mpid, number, is_named, unnumbered),
        (week_ending, venue_type, mpid, number, is_named, unnumbered)
    )
),
scoped as (
    select
        v.*,
        scope.name as scope,
        sum(v.total_volume) over (partition by v.week_ending, v.tier, scope.name) as scope_volume
    from venue as v
    inner join sets as s on s.week_ending = v.week_ending and s.tier = v.tier
    cross join lateral (values (v.venue_type), ('ALL')) as scope (name)
    where otc_internal.is_scope_known(scope.name, s.covers_all)
),
ranked as (
    select
        week_ending,
        tier,
        scope,
        mpid,
        firm_crd,
        venue_name,
        total_volume,
        total_trades::bigint as total_trades,
        total_notional,
        symbol_count::int as symbol_count,
        coalesce(round(100 * total_volume / nullif(scope_volume, 0), 4), 0) as market_share_pct,
        rank() over (partition by week_ending, tier, scope order by total_volume desc)::int as rank
    from scoped
    where is_named
),
-- Earlier weeks are read from stored rows; so is the week itself where only an earlier one changed.
known as (
    select * from ranked
    union all
    select
        week_ending, tier, scope, mpid, firm_crd, venue_name,
        total_volume, total_trades, total_notional, symbol_count, market_share_pct, rank
    from otc.venue_share
    where
        at is null
        and week_ending between first_week - 91 and last_week
        and (
            week_ending < first_week
            or not exists (select from otc_internal.venue_sum where week_ending between first_week and last_week)
            and (week_ending, tier) in (select s.week_ending, s.tier from sets as s) -- none where nothing counts
        )
),
numbered as ( -- what identifies a venue: MPID, else number, else name
    select *, array[
        mpid, case when mpid is null then firm_crd::text end, case when mpid is null and firm_crd is null then venue_name end
    ] as venue
    from known
)
select
    n.week_ending,
    n.tier,
    n.scope,
    n.mpid,
    n.firm_crd,
    n.venue_name,
    n.total_volume,
    n.total_trades,
    n.symbol_count,
    n.market_share_pct,
    n.rank,
    before.rank - n.rank as rank_change,
    n.market_share_pct - before.market_share_pct as share_change_1w_pts,
    n.market_share_pct - before_4.market_share_pct as share_change_4w_pts,
    n.market_share_pct - before_13.market_share_pct as share_change_13w_pts,
    n.total_notional,
    round(n.total_volume / nullif(n.total_trades, 0), 6) as avg_trade_size,
    now() as computed_at
from numbered as n
left join numbered as before
    on before.week_ending = n.week_ending - 7 and before.tier = n.tier and before.scope = n.scope
    and before.venue = n.venue
left join numbered as before_4
    on before_4.week_ending = n.week_ending - 28 and before_4.tier = n.tier and before_4.scope = n.scope
    and before_4.venue = n.venue
left join numbered as before_13
    on before_13.week_ending = n.week_ending - 91 and before_13.tier = n.tier and before_13.scope = n.scope
    and before_13.venue = n.venue
where n.week_ending between first_week and last_week
$$;
