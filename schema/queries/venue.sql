-- name: find_venue
-- A venue by its MPID or CRD number, in one scope: its names with the first and the last week of each, newest first.
select
    s.mpid,
    case when s.mpid is null then s.firm_crd end as firm_crd,
    s.venue_name,
    min(s.week_ending) as first_week,
    max(s.week_ending) as last_week,
    count(distinct s.week_ending) as weeks
from (select distinct week_ending from otc.capture where persisted_at is not null) as w
cross join (values ('T1'), ('T2'), ('OTCE')) as t (tier)
cross join (values ('ATS'), ('NON_ATS')) as v (scope)
inner join otc.venue_share as s on s.week_ending = w.week_ending and s.tier = t.tier and s.scope = v.scope
where s.mpid = upper(%(mpid)s) or (s.mpid is null and s.firm_crd = %(firm_crd)s)
group by s.mpid, case when s.mpid is null then s.firm_crd end, s.venue_name
order by last_week desc, first_week desc, s.venue_name;

-- name: venue_names
-- MPIDs, CRD numbers and names of the venues of the newest weeks.
select distinct coalesce(mpid, firm_crd::text) as venue, venue_name
from otc.venue_share
where week_ending > (select max(s.week_ending) from otc.venue_share as s) - 42 and coalesce(mpid, firm_crd::text) is not null;

-- name: venue_newest
-- The newest week of a venue, up to one if it is given, and its tier: all tiers together if there is such a week.
select week_ending, tier
from otc.venue_share
where
    scope = %(scope)s and tier = coalesce(%(tier)s, tier)
    and week_ending <= coalesce(%(week_ending)s::date, 'infinity')
    and (mpid = %(mpid)s or (mpid is null and firm_crd = %(firm_crd)s))
order by tier = 'ALL_TIERS' desc, week_ending desc, array_position(array['T1', 'T2', 'OTCE'], tier)
limit 1;

-- name: profile_weeks
-- The weeks of a venue up to one, newest first.
select
    week_ending,
    tier,
    scope,
    rank,
    rank_change,
    market_share_pct,
    share_change_1w_pts,
    share_change_4w_pts,
    share_change_13w_pts,
    total_volume,
    total_trades,
    avg_trade_size,
    total_notional,
    round(total_notional / nullif(total_volume, 0), 6) as average_price,
    symbol_count
from otc.venue_share
where
    week_ending between %(first)s and %(week_ending)s and tier = %(tier)s and scope = %(scope)s
    and (mpid = %(mpid)s or (mpid is null and firm_crd = %(firm_crd)s))
order by week_ending desc;

-- name: profile_symbols
-- The symbols that a venue traded most in a week, and its share of each on all tiers.
with own as materialized (
    select symbol, sum(volume) as volume, sum(sum(volume)) over () as all_volume
    from otc_internal.counted_as_of(null, %(week_ending)s, %(week_ending)s)
    where
        (mpid = %(mpid)s or (mpid is null and firm_crd = %(firm_crd)s and is_named))
        and %(tier)s in (tier, 'ALL_TIERS')
    group by symbol
),
largest as materialized (
    select * from own where symbol is not null and volume > 0 order by volume desc, symbol limit %(limit)s
)
select
    l.symbol,
    s.total_volume,
    round(100 * l.volume / l.all_volume, 4) as of_venue_pct,
    s.share_pct,
    s.rank,
    s.share_change_1w_pts,
    s.share_change_13w_pts,
    s.total_trades,
    s.avg_trade_size
from largest as l
inner join otc.symbol_venue_share_as_of(
    null, %(week_ending)s, %(week_ending)s, array(select x.symbol from largest as x)
) as s
    on s.symbol = l.symbol and s.scope = %(scope)s
    and (s.mpid = %(mpid)s or (s.mpid is null and s.firm_crd = %(firm_crd)s))
order by l.volume desc, l.symbol;

-- name: gain_weeks
-- The weeks between two in which all that is to be compared is known.
select week_ending
from otc.loaded_partition
where
    week_ending between %(first)s and %(last)s and %(tier)s in (tier, 'ALL_TIERS')
    and otc_internal.is_scope_known(%(scope)s, covers_all)
group by week_ending
having count(*) = case when %(tier)s = 'ALL_TIERS' then 3 else 1 end
order by week_ending;

-- name: gains_by_symbol
-- How a venue's share of each symbol changed from some weeks to others. What is gained is what the venue traded in the later
-- weeks above its former share. Another firm than an ATS may have been de minimis where it has no record: such symbols are
-- left out.
with span as (
    select week_ending, true as is_later from unnest(%(later)s::date[]) as week_ending
    union all
    select week_ending, false from unnest(%(earlier)s::date[]) as week_ending
),
own as materialized (
    select
        r.symbol,
        sum(r.volume) filter (where s.is_later) as volume,
        sum(r.volume) filter (where not s.is_later) as volume_before
    from span as s
    cross join lateral otc_internal.counted_as_of(null, s.week_ending, s.week_ending) as r
    where
        (r.mpid = %(mpid)s or (r.mpid is null and r.firm_crd = %(firm_crd)s and r.is_named))
        and %(tier)s in (r.tier, 'ALL_TIERS') and r.symbol is not null
    group by r.symbol
),
every as materialized (
    select
        t.symbol,
        sum(t.total_volume) filter (where s.is_later) as volume,
        sum(t.total_volume) filter (where not s.is_later) as volume_before
    from span as s
    cross join (values ('T1'), ('T2'), ('OTCE')) as place (tier)
    inner join otc.symbol_summary as t
        on t.week_ending = s.week_ending and t.tier = place.tier and t.scope = %(scope)s
    where %(tier)s in (place.tier, 'ALL_TIERS')
    group by t.symbol
),
share as (
    select
        o.symbol,
        e.volume as symbol_volume,
        coalesce(o.volume, 0) as volume,
        coalesce(o.volume_before, 0) as volume_before,
        100 * coalesce(o.volume, case when %(mpid)s::text is not null then 0 end) / nullif(e.volume, 0) as pct,
        100 * coalesce(o.volume_before, case when %(mpid)s::text is not null then 0 end) / nullif(e.volume_before, 0) as pct_before
    from own as o
    inner join every as e on e.symbol = o.symbol
),
ranked as (
    select
        symbol,
        round(symbol_volume, 6) as symbol_volume,
        round(volume_before, 6) as volume_before,
        round(volume, 6) as volume,
        round(pct_before, 4) as share_before_pct,
        round(pct, 4) as share_pct,
        round(pct, 4) - round(pct_before, 4) as share_change_pts,
        round(100 * (round(pct, 4) - round(pct_before, 4)), 2) as share_change_bps,
        round((pct - pct_before) * symbol_volume / 100, 6) as gained_volume,
        row_number() over (order by (pct - pct_before) * symbol_volume desc, symbol) as from_top,
        row_number() over (order by (pct - pct_before) * symbol_volume, symbol) as from_bottom
    from share
    where pct is not null and pct_before is not null
)
select
    symbol,
    case when gained_volume > 0 then 'gained' else 'lost' end as direction,
    share_before_pct,
    share_pct,
    share_change_pts,
    share_change_bps,
    gained_volume,
    volume_before,
    volume,
    symbol_volume
from ranked
where (from_top <= %(limit)s and gained_volume > 0) or (from_bottom <= %(limit)s and gained_volume < 0)
order by direction, case when gained_volume > 0 then from_top else from_bottom end;

-- name: gains_in_symbol
-- How the venues' shares of one symbol changed from some weeks to others, the one that gained most first. Another firm than an ATS may
-- have been de minimis where it has no record: it is left out.
with span as (
    select week_ending, true as is_later from unnest(%(later)s::date[]) as week_ending
    union all
    select week_ending, false from unnest(%(earlier)s::date[]) as week_ending
),
every as (
    select
        sum(t.total_volume) filter (where s.is_later) as volume,
        sum(t.total_volume) filter (where not s.is_later) as volume_before
    from span as s
    cross join (values ('T1'), ('T2'), ('OTCE')) as place (tier)
    inner join otc.symbol_summary as t
        on t.week_ending = s.week_ending and t.tier = place.tier and t.symbol = %(symbol)s and t.scope = %(scope)s
    where %(tier)s in (place.tier, 'ALL_TIERS')
),
own as (
    select
        r.mpid,
        max(r.firm_crd) as firm_crd,
        max(v.name) as venue_name,
        sum(r.volume) filter (where s.is_later) as volume,
        sum(r.volume) filter (where not s.is_later) as volume_before
    from span as s
    cross join lateral otc_internal.counted_as_of(null, s.week_ending, s.week_ending) as r
    left join otc_internal.name as v on v.name_id = r.venue_name_id
    where
        r.symbol = %(symbol)s and r.is_named and %(tier)s in (r.tier, 'ALL_TIERS') and %(scope)s in (r.venue_type, 'ALL')
    group by r.mpid, case when r.mpid is null then r.firm_crd end, r.unnumbered
),
share as (
    select
        o.mpid,
        o.firm_crd,
        o.venue_name,
        e.volume as symbol_volume,
        coalesce(o.volume, 0) as volume,
        coalesce(o.volume_before, 0) as volume_before,
        100 * coalesce(o.volume, 0) / nullif(e.volume, 0) as pct,
        100 * coalesce(o.volume_before, 0) / nullif(e.volume_before, 0) as pct_before
    from own as o
    cross join every as e
    where o.mpid is not null or (o.volume is not null and o.volume_before is not null)
)
select
    mpid,
    firm_crd,
    venue_name,
    round(pct_before, 4) as share_before_pct,
    round(pct, 4) as share_pct,
    round(pct, 4) - round(pct_before, 4) as share_change_pts,
    round(100 * (round(pct, 4) - round(pct_before, 4)), 2) as share_change_bps,
    round((pct - pct_before) * symbol_volume / 100, 6) as gained_volume,
    round(volume_before, 6) as volume_before,
    round(volume, 6) as volume,
    round(symbol_volume, 6) as symbol_volume
from share
where pct is not null and pct_before is not null
order by share_change_pts desc, share_pct desc, venue_name, mpid, firm_crd;

-- name: gains_by_venue
-- How the venues' shares changed from some weeks to others. Volume of a partition includes what belongs to no venue.
with span as (
    select week_ending, true as is_later from unnest(%(later)s::date[]) as week_ending
    union all
    select week_ending, false from unnest(%(earlier)s::date[]) as week_ending
),
every as (
    select s.is_later, sum(
        case %(scope)s when 'ATS' then q.ats_volume when 'NON_ATS' then q.volume - q.ats_volume else q.volume end
    ) as volume
    from span as s
    inner join otc.weekly_quality as q on q.week_ending = s.week_ending and %(tier)s in (q.tier, 'ALL_TIERS')
    group by s.is_later
),
own as (
    select
        v.mpid,
        case when v.mpid is null then v.firm_crd end as firm_crd,
        case when v.mpid is null and v.firm_crd is null then v.venue_name end as unnumbered,
        (array_agg(v.venue_name order by v.week_ending desc))[1] as venue_name,
        coalesce(sum(v.total_volume) filter (where s.is_later), 0) as volume,
        coalesce(sum(v.total_volume) filter (where not s.is_later), 0) as volume_before
    from span as s
    inner join otc.venue_share as v on v.week_ending = s.week_ending and v.tier = %(tier)s and v.scope = %(scope)s
    group by v.mpid, case when v.mpid is null then v.firm_crd end, unnumbered
),
share as (
    select
        o.*,
        coalesce(round(100 * o.volume / nullif(later.volume, 0), 4), 0) as share_pct,
        coalesce(round(100 * o.volume_before / nullif(earlier.volume, 0), 4), 0) as share_before_pct
    from own as o
    inner join every as later on later.is_later
    inner join every as earlier on not earlier.is_later
)
select
    mpid,
    firm_crd,
    venue_name,
    share_before_pct,
    share_pct,
    share_pct - share_before_pct as share_change_pts,
    round(100 * (share_pct - share_before_pct), 2) as share_change_bps,
    round(volume_before, 6) as volume_before,
    round(volume, 6) as volume
from share
order by share_change_pts desc, share_pct desc, venue_name, mpid, firm_crd;

-- name: venue_timeline
-- Each venue of a scope: its first and its last week, and whether it came after the first loaded week, or left: on each tier
-- that it traded, newer weeks are loaded. The newest change comes first.
with week as materialized (
    select week_ending, tier, min(week_ending) over by_tier as first_week, max(week_ending) over by_tier as last_week
    from otc.loaded_partition
    where otc_internal.is_scope_known(%(scope)s, covers_all)
    window by_tier as (partition by tier)
),
seen as materialized (
    select
        s.week_ending,
        s.mpid,
        case when s.mpid is null then s.firm_crd end as firm_crd,
        case when s.mpid is null and s.firm_crd is null then s.venue_name end as unnumbered,
        s.venue_name,
        w.first_week,
        w.last_week,
        min(s.week_ending) over on_tier as first_on_tier,
        max(s.week_ending) over on_tier as last_on_tier
    from week as w
    inner join otc.venue_share as s on s.week_ending = w.week_ending and s.tier = w.tier and s.scope = %(scope)s
    window on_tier as (
        partition by s.tier, s.mpid, case when s.mpid is null then s.firm_crd end,
        case when s.mpid is null and s.firm_crd is null then s.venue_name end
    )
),
venue as (
    select
        mpid,
        firm_crd,
        (array_agg(venue_name order by week_ending desc, venue_name desc))[1] as venue_name,
        min(week_ending) as first_week,
        max(week_ending) as last_week,
        count(distinct week_ending) as weeks,
        bool_and(first_on_tier > first_week) as is_entry,
        bool_and(last_on_tier < last_week) as is_exit,
        array_agg(distinct venue_name) as names
    from seen
    group by mpid, firm_crd, unnumbered
)
select
    v.mpid,
    v.firm_crd,
    v.venue_name,
    v.first_week,
    v.last_week,
    v.weeks,
    v.is_entry,
    v.is_exit,
    n.former_names,
    n.renamed_week
from venue as v
left join lateral ( -- the other names, and the first week of the present one
    select
        array_agg(distinct s.venue_name) filter (where s.venue_name <> v.venue_name) as former_names,
        min(s.week_ending) filter (where s.venue_name = v.venue_name) as renamed_week
    from seen as s
    where
        cardinality(v.names) > 1 and s.mpid is not distinct from v.mpid and s.firm_crd is not distinct from v.firm_crd
) as n on cardinality(v.names) > 1
order by
    greatest(case when v.is_exit then v.last_week end, case when v.is_entry then v.first_week end, n.renamed_week)
        desc nulls last,
    v.mpid, v.firm_crd, v.venue_name;

-- name: gains_of_venues
-- Where ATSs gained and lost most from a week to another among some symbols: with the most shares above or below what the
-- venue's former share of the symbol would be.
with span as (
    select %(later)s::date as week_ending, true as is_later
    union all
    select %(earlier)s::date, false
),
own as materialized (
    select
        r.mpid,
        r.symbol,
        coalesce(sum(r.volume) filter (where s.is_later), 0) as volume,
        coalesce(sum(r.volume) filter (where not s.is_later), 0) as volume_before
    from span as s
    cross join lateral otc_internal.counted_as_of(null, s.week_ending, s.week_ending) as r
    where r.mpid is not null and r.symbol = any(%(symbols)s::text[]) and %(tier)s in (r.tier, 'ALL_TIERS')
    group by r.mpid, r.symbol
),
every as materialized (
    select
        t.symbol,
        sum(t.total_volume) filter (where s.is_later) as volume,
        sum(t.total_volume) filter (where not s.is_later) as volume_before
    from span as s
    cross join (values ('T1'), ('T2'), ('OTCE')) as place (tier)
    inner join otc.symbol_summary as t on t.week_ending = s.week_ending and t.tier = place.tier and t.scope = 'ATS'
    where t.symbol = any(%(symbols)s::text[]) and %(tier)s in (place.tier, 'ALL_TIERS')
    group by t.symbol
),
gain as (
    select
        o.mpid,
        o.symbol,
        round(100 * o.volume_before / e.volume_before, 4) as share_before_pct,
        round(100 * o.volume / e.volume, 4) as share_pct,
        o.volume - o.volume_before * e.volume / e.volume_before as gained
    from own as o
    inner join every as e on e.symbol = o.symbol and e.volume > 0 and e.volume_before > 0
),
ranked as (
    select *,
        row_number() over (order by gained desc, symbol, mpid) as from_top,
        row_number() over (order by gained, symbol, mpid) as from_bottom
    from gain
)
select mpid, symbol, share_before_pct, share_pct, round(100 * (share_pct - share_before_pct), 2) as share_change_bps, gained
from ranked
where (from_top <= %(limit)s and gained > 0) or (from_bottom <= %(limit)s and gained < 0)
order by gained desc, symbol, mpid;

-- name: venue_heat
-- The shares of ATSs in some symbols.
select symbol, mpid, share_pct
from otc.symbol_venue_share_as_of(null, %(week_ending)s, %(week_ending)s, %(symbols)s::text[])
where scope = 'ATS' and mpid is not null;

-- name: market_of_week
-- The share of all trading of a week, where the market's volume is imported.
select * from otc.market_share where week_ending = %(week_ending)s and tape = 'ALL';
