-- What metrics build on: the records of some weeks that count at a moment, a row for what a venue traded of a symbol on
-- one tier, and one for all tiers (`is_whole`), so that no venue counts twice. Where a venue can have one record only of
-- a symbol, a row is both and no sum: that is so for all but the `tangled` symbols. Either those are told, which are all
-- where there is null, or the others.
create or replace function otc.traded_as_of(
    at timestamptz, first_week date, last_week date, tangled text[], is_tangled boolean
)
returns setof otc.traded language sql stable parallel safe as $$
with record as not materialized (
    select
        r.*,
        l.covers_all,
        (
            coalesce(r.firm_crd = 0, false)
            or coalesce(r.venue_name_id = (select n.name_id from otc.name as n where n.name = 'De Minimis Firms'), false)
        ) is false as is_named
    from otc.counting_as_of($1) as r
    inner join otc.loaded_as_of($1) as l on l.week_ending = r.week_ending and l.tier = r.tier
    where r.week_ending between $2 and $3
)
select
    week_ending, tier, symbol, mpid, firm_crd, venue_type, venue_name_id, is_named, covers_all, true,
    share_volume, trade_count, notional
from record
where not $5 and symbol is not null and symbol <> all($4)
union all
select
    v.week_ending, v.tier, v.symbol, v.mpid, v.firm_crd, v.venue_type, n.name_id, v.is_named, v.covers_all, v.is_whole,
    v.volume, v.trades, v.notional
from (
    select
        r.week_ending,
        part.tier,
        r.symbol,
        r.mpid,
        r.firm_crd,
        r.venue_type,
        max(n.name) as venue_name, -- the last by alphabet, should a venue have several in a week
        r.is_named,
        bool_and(bool_and(r.covers_all)) over (partition by r.symbol, r.week_ending, part.tier, part.is_whole) as covers_all,
        part.is_whole,
        sum(r.share_volume) as volume,
        sum(r.trade_count)::bigint as trades,
        case when count(r.notional) = count(*) then sum(r.notional) end as notional
    from record as r
    left join otc.name as n on n.name_id = r.venue_name_id
    cross join lateral (values (r.tier, false), (null, true)) as part (tier, is_whole)
    where $4 is null or r.symbol is null or r.symbol = any($4)
    group by
        r.symbol, r.firm_crd, r.mpid, r.week_ending, r.venue_type,
        case when r.mpid is null and r.firm_crd is null then r.venue_name_id end, r.is_named, part.tier, part.is_whole
) as v
left join otc.name as n on n.name = v.venue_name
where $5
$$;

-- By symbol and scope, as far as the scope is known: where one of the symbol's tiers tells ATS volume only, the others are
-- not. The groups are in the order of the index of records.
create or replace function otc.symbols_as_of(
    at timestamptz, first_week date, last_week date, tangled text[], is_tangled boolean
) returns setof otc.working_symbol language sql stable parallel safe as $$
with by_type as (
    select
        week_ending,
        tier,
        symbol,
        is_whole,
        venue_type,
        sum(volume) as volume,
        sum(trades) as trades,
        case when count(notional) = count(*) then sum(notional) end as notional,
        count(*) filter (where is_named) as venue_count,
        sum(volume) filter (where not is_named) as de_minimis,
        sum(volume * volume) filter (where is_named) as squares,
        (array_agg(volume order by volume desc) filter (where is_named))[1:3] as top,
        bool_and(covers_all) as covers_all
    from otc.traded_as_of($1, $2, $3, $4, $5)
    where symbol is not null
    group by symbol, venue_type, tier, is_whole, week_ending -- sorted by what tells most rows apart first
),
led as ( -- the volume of the largest venue, of the two largest, of the three largest
    select *, array[top[1], top[1] + coalesce(top[2], 0), top[1] + coalesce(top[2], 0) + coalesce(top[3], 0)] as leaders
    from by_type
),
scoped as (
    select
        v.week_ending,
        v.tier,
        v.symbol,
        scope.name as scope,
        v.is_whole,
        sum(v.volume) as volume,
        sum(v.trades) as trades,
        case when count(v.notional) = count(*) then sum(v.notional) end as notional,
        sum(v.venue_count) as venue_count,
        sum(v.volume) filter (where v.venue_type = 'ATS') as ats_volume,
        sum(v.de_minimis) as de_minimis,
        sum(v.squares) as squares,
        max(v.leaders) filter (where v.venue_type = 'ATS') as ats,
        max(v.leaders) filter (where v.venue_type = 'NON_ATS') as other
    from led as v
    cross join lateral (values (v.venue_type), ('ALL')) as scope (name)
    where scope.name = 'ATS' or v.covers_all
    group by v.symbol, v.tier, v.is_whole, v.week_ending, scope.name
)
select
    week_ending,
    tier,
    symbol,
    scope,
    is_whole,
    volume,
    trades::bigint,
    notional,
    venue_count::int,
    coalesce(ats_volume, 0),
    coalesce(de_minimis, 0),
    coalesce(squares, 0),
    coalesce(greatest(ats[1], other[1]), 0),
    coalesce(greatest(ats[3], ats[2] + other[1], ats[1] + other[2], other[3]), 0)
from scoped
$$;

-- By venue.
create or replace function otc.venues_as_of(
    at timestamptz, first_week date, last_week date, tangled text[], is_tangled boolean
) returns setof otc.working_venue language sql stable parallel safe as $$
select
    week_ending, tier, is_whole, venue_type, mpid, firm_crd, venue_name_id, is_named,
    sum(volume), sum(trades)::bigint, count(symbol)
from otc.traded_as_of($1, $2, $3, $4, $5)
group by week_ending, tier, is_whole, venue_type, mpid, firm_crd, venue_name_id, is_named
$$;

-- The symbols from the runner's week where the moment is null: metrics have one definition for both.
create or replace function otc.week_symbols(at timestamptz, first_week date, last_week date)
returns setof otc.working_symbol language sql stable parallel safe as $$
select * from otc.working_symbol where $1 is null
union all
select * from otc.symbols_as_of($1, $2, $3, null, true) where $1 is not null
$$;
