-- The records of some weeks that count at a moment, where their partitions do; of some symbols and of none, or all.
create or replace function otc.counted_as_of(at timestamptz, first_week date, last_week date, symbols text[])
returns setof otc.counted language sql stable parallel safe as $$
select
    r.week_ending,
    r.tier,
    r.symbol,
    r.mpid,
    r.firm_crd,
    r.venue_type,
    r.venue_name_id,
    case when r.mpid is null and r.firm_crd is null then r.venue_name_id end,
    (
        coalesce(r.firm_crd = 0, false)
        or coalesce(r.venue_name_id = (select n.name_id from otc.name as n where n.name = 'De Minimis Firms'), false)
    ) is false,
    (r.week_ending, r.tier) in (select l.week_ending, l.tier from otc.loaded_as_of($1) as l where l.covers_all),
    r.share_volume,
    r.trade_count,
    r.notional
from otc.counting_as_of($1) as r
where
    r.week_ending between $2 and $3
    and (r.week_ending, r.tier) in (select l.week_ending, l.tier from otc.loaded_as_of($1) as l)
    and ($4 is null or r.symbol is null or r.symbol = any($4))
$$;

-- What metrics build on: the records of some weeks that count at a moment, as what they tell of a symbol on one tier, and
-- of all of it (`is_whole`). Where a venue can have one record only of a symbol, a row is both: that is so for all but the
-- `tangled` symbols, whose records stand twice. Either those are told, which are all where there is null, or the others.
-- No venue counts twice: `is_venue` marks the first of its records there, `is_first` that of the week, and `venue_volume` is
-- what the venue traded of all of the symbol, where `is_venue` says so, else null.
create or replace function otc.traded_as_of(
    at timestamptz, first_week date, last_week date, tangled text[], is_tangled boolean
) returns setof otc.traded language sql stable parallel safe as $$
( -- of now only, from the table itself: so they come in the order of its index, and no week is sorted
    select
        r.week_ending,
        r.tier,
        true,
        r.symbol,
        r.mpid,
        r.firm_crd,
        r.venue_type,
        r.venue_name_id,
        (
            coalesce(r.firm_crd = 0, false)
            or coalesce(r.venue_name_id = (select n.name_id from otc.name as n where n.name = 'De Minimis Firms'), false)
        ) is false,
        (r.week_ending, r.tier) in (select l.week_ending, l.tier from otc.loaded_partition as l where l.covers_all),
        r.share_volume,
        r.trade_count,
        r.notional,
        true,
        true,
        r.share_volume
    from otc.volume_record as r
    where
        not $5
        and $1 is null
        and r.week_ending between $2 and $3
        and r.ended_by is null
        and r.symbol is not null
        and r.symbol <> all($4)
        and ((r.week_ending, r.tier) in (select l.week_ending, l.tier from otc.loaded_partition as l)) is true -- no join
    order by r.week_ending, r.tier, r.symbol
)
union all
select
    week_ending, tier, false, symbol, mpid, firm_crd, venue_type, venue_name_id, is_named, covers_all,
    volume, trades, notional, tier_before is distinct from tier, tier_before is null, null
from (
    select *,
        lag(tier) over (partition by symbol, firm_crd, mpid, week_ending, venue_type, unnumbered, is_named order by tier)
        as tier_before
    from otc.counted_as_of($1, $2, $3, $4)
) as by_tier
where $5
union all
select
    week_ending, null, true, symbol, mpid, firm_crd, venue_type, venue_name_id, is_named, covers_all,
    volume, trades, notional, place = 1, place = 1, case when place = 1 then venue_volume end
from (
    select *, row_number() over by_venue as place, sum(volume) over by_venue as venue_volume
    from otc.counted_as_of($1, $2, $3, $4)
    window by_venue as (partition by symbol, firm_crd, mpid, week_ending, venue_type, unnumbered, is_named)
) as by_week
where $5
$$;

-- By symbol and scope, as far as the scope is known: where one of the symbol's tiers tells ATS volume only, the others are
-- not.
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
        count(*) filter (where is_named and is_venue) as venue_count,
        sum(volume) filter (where not is_named) as de_minimis,
        sum(venue_volume * venue_volume) filter (where is_named) as squares,
        (array_agg(venue_volume order by venue_volume desc nulls last) filter (where is_named))[1:3] as top,
        bool_and(covers_all) as covers_all
    from otc.traded_as_of($1, $2, $3, $4, $5)
    where symbol is not null
    group by week_ending, tier, symbol, is_whole, venue_type
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
        sum(v.trades)::bigint as trades,
        case when count(v.notional) = count(*) then sum(v.notional) end as notional,
        sum(v.venue_count)::int as venue_count,
        coalesce(sum(v.volume) filter (where v.venue_type = 'ATS'), 0) as ats_volume,
        coalesce(sum(v.de_minimis), 0) as de_minimis,
        coalesce(sum(v.squares), 0) as squares,
        max(v.leaders) filter (where v.venue_type = 'ATS') as ats,
        max(v.leaders) filter (where v.venue_type = 'NON_ATS') as other,
        bool_and(bool_and(v.covers_all)) over (partition by v.week_ending, v.tier, v.symbol, v.is_whole) as covers_all
    from led as v
    cross join lateral (values (v.venue_type), ('ALL')) as scope (name)
    group by v.week_ending, v.tier, v.symbol, v.is_whole, scope.name
)
select
    week_ending, tier, symbol, scope, is_whole, volume, trades, notional, venue_count, ats_volume, de_minimis, squares,
    coalesce(greatest(ats[1], other[1]), 0),
    coalesce(greatest(ats[3], ats[2] + other[1], ats[1] + other[2], other[3]), 0)
from scoped
where scope = 'ATS' or covers_all
$$;

-- By venue and tier.
create or replace function otc.venues_as_of(
    at timestamptz, first_week date, last_week date, tangled text[], is_tangled boolean
) returns setof otc.working_venue language sql stable parallel safe as $$
select
    week_ending, tier, venue_type, mpid, firm_crd, venue_name_id, is_named,
    sum(volume), sum(trades)::bigint, count(symbol) filter (where is_venue), count(symbol) filter (where is_first)
from otc.traded_as_of($1, $2, $3, $4, $5)
where tier is not null
group by week_ending, tier, venue_type, mpid, firm_crd, venue_name_id, is_named
$$;

-- The symbols from the runner's week where the moment is null: metrics have one definition for both.
create or replace function otc.week_symbols(at timestamptz, first_week date, last_week date)
returns setof otc.working_symbol language sql stable parallel safe as $$
select * from otc.working_symbol where $1 is null
union all
select * from otc.symbols_as_of($1, $2, $3, null, true) where $1 is not null
$$;
