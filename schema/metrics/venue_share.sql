-- venue_share: each named venue's share of a week's volume, by tier and scope, and its rank.
-- The unnamed firms (de minimis) are in the total and are no venue. ALL_TIERS where all three tiers are loaded.
-- reaches: 1
-- reads: venue_share

-- name: table
create table if not exists otc.venue_share (
    week_ending date not null,
    tier text collate "C" not null, -- or ALL_TIERS
    scope text not null,
    mpid text collate "C",
    firm_crd int,
    venue_name text collate "C",
    total_volume numeric(24, 6) not null, -- shares
    total_trades bigint not null,
    symbol_count int not null,
    market_share_pct numeric(7, 4) not null, -- of the scope's volume on the tier
    rank int not null, -- by volume; equals share a rank
    rank_change int, -- against the week before, positive is up; null where not comparable
    computed_at timestamptz not null default now(),
    unique nulls not distinct (week_ending, tier, scope, mpid, firm_crd, venue_name)
);

-- name: function
create or replace function otc.venue_share_as_of(
    at timestamptz, first_week date default '-infinity', last_week date default 'infinity'
) returns setof otc.venue_share language sql stable parallel safe as $$
with loaded as (
    select week_ending, tier, covers_all from otc.loaded_as_of($1) where week_ending between $2 - 7 and $3
),
sets as (
    select week_ending, tier, covers_all from loaded
    union all
    select week_ending, 'ALL_TIERS', bool_and(covers_all) from loaded group by week_ending having count(*) = 3
),
venue as (
    select
        week_ending,
        coalesce(tier, 'ALL_TIERS') as tier,
        venue_type,
        mpid,
        firm_crd,
        is_named,
        unnumbered,
        max(venue_name) as venue_name, -- the last by alphabet, should a venue have several in a week
        sum(volume) as total_volume,
        sum(trades) as total_trades,
        count(distinct symbol) as symbol_count
    from otc.week_volume($1, $2 - 7, $3)
    group by grouping sets (
        (week_ending, tier, venue_type, mpid, firm_crd, is_named, unnumbered),
        (week_ending, venue_type, mpid, firm_crd, is_named, unnumbered)
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
    where scope.name = 'ATS' or s.covers_all
),
ranked as (
    select
        s.*,
        rank() over (partition by s.week_ending, s.tier, s.scope order by s.total_volume desc) as rank
    from scoped as s
    where s.is_named
),
before as (
    select week_ending, tier, scope, mpid, firm_crd, venue_name, rank from ranked where $1 is not null
    union all
    select week_ending, tier, scope, mpid, firm_crd, venue_name, rank
    from otc.venue_share
    where $1 is null and week_ending between $2 - 7 and $3
)
select
    r.week_ending,
    r.tier,
    r.scope,
    r.mpid,
    r.firm_crd,
    r.venue_name,
    r.total_volume,
    r.total_trades::bigint,
    r.symbol_count::int,
    coalesce(round(100 * r.total_volume / nullif(r.scope_volume, 0), 4), 0) as market_share_pct,
    r.rank::int,
    (before.rank - r.rank)::int as rank_change,
    now() as computed_at
from ranked as r
left join before
    on before.week_ending = r.week_ending - 7
    and before.tier = r.tier
    and before.scope = r.scope
    and before.mpid is not distinct from r.mpid
    and before.firm_crd is not distinct from r.firm_crd
    and (r.unnumbered is null or before.venue_name = r.venue_name)
where r.week_ending between $2 and $3
$$;
