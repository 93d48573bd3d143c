-- The records of some weeks that count at a moment, of loaded partitions.
-- Volume of unnamed firms, of an ATS without MPID and of a firm without number and name belongs to no venue.
-- Columns: week_ending, tier, symbol, mpid, firm_crd, venue_type (ATS or NON_ATS), venue_name_id (of otc_internal.name),
-- unnumbered (venue_name_id where the name alone identifies the venue), is_named (whether the volume is a venue's),
-- covers_all (whether captures of the partition cover both venue types), volume (shares), trades, notional (dollars).
create or replace function otc_internal.counted_as_of(at timestamptz, first_week date, last_week date)
returns setof otc_internal.counted language sql stable parallel safe as $$
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
        (r.mpid is null and (r.venue_type = 'ATS' or (r.firm_crd is null and r.venue_name_id is null)))
        or coalesce(r.firm_crd = 0, false)
        or coalesce(r.venue_name_id = (select n.name_id from otc_internal.name as n where n.name = 'De Minimis Firms'), false)
    ) is false,
    (r.week_ending, r.tier) in (select l.week_ending, l.tier from otc.loaded_as_of(at) as l where l.covers_all),
    r.share_volume,
    r.trade_count,
    r.notional
from otc_internal.counting_as_of(at) as r
where
    r.week_ending between first_week and last_week
    and (r.week_ending, r.tier) in (select l.week_ending, l.tier from otc.loaded_as_of(at) as l)
$$;

-- The same of some symbols and of none, or all.
create or replace function otc_internal.counted_as_of(at timestamptz, first_week date, last_week date, symbols text[])
returns setof otc_internal.counted language sql stable parallel safe as $$
select *
from otc_internal.counted_as_of(at, first_week, last_week)
where symbols is null or symbol is null or symbol = any(symbols)
$$;

-- What metrics build on: the counting records of some weeks, once for each symbol on one tier, and once for each symbol on
-- all tiers (`is_all_tiers`). Where a venue can have only one record of a symbol, one row serves both purposes: that is so for
-- all symbols but the `multi_record` ones, whose records are returned twice. With `one_tier`, returns the others, of the first
-- week and now; without it the multi_record ones, or all where `multi_record` is null.
-- A venue is identified by its MPID, else its number, else its name, and may have several names in a week. So that no venue
-- counts twice, `is_venue` marks the first of its records on the tier, `is_first` the first of the week; `venue_volume` is
-- the venue's volume in the symbol on all tiers where `is_venue` is set, else null.
create or replace function otc_internal.traded_as_of(
    at timestamptz, first_week date, last_week date, multi_record text[], one_tier text
) returns setof otc_internal.traded language sql stable parallel safe as $$
( -- in the order of the records' index, so that no week is sorted
    select
        r.week_ending,
        r.tier,
        true,
        r.symbol,
        r.mpid,
        r.firm_crd,
        r.venue_type = 'ATS',
        r.venue_name_id,
        (
            (r.mpid is null and (r.venue_type = 'ATS' or (r.firm_crd is null and r.venue_name_id is null)))
            or coalesce(r.firm_crd = 0, false)
            or coalesce(r.venue_name_id = (select n.name_id from otc_internal.name as n where n.name = 'De Minimis Firms'), false)
        ) is false,
        (select l.covers_all from otc.loaded_partition as l where l.week_ending = first_week and l.tier = one_tier),
        r.share_volume,
        r.trade_count,
        r.notional,
        true,
        true,
        r.share_volume
    from otc_internal.volume_record as r
    where
        one_tier is not null
        and r.week_ending = first_week
        and r.tier = one_tier
        and r.closed_by is null
        and r.symbol is not null
        and r.symbol <> all(multi_record)
        and (
            select l.covers_all from otc.loaded_partition as l where l.week_ending = first_week and l.tier = one_tier
        ) is not null
    order by r.symbol
)
union all
select
    week_ending, tier, false, symbol, mpid, firm_crd, venue_type = 'ATS', venue_name_id, is_named, covers_all,
    volume, trades, notional, tier_before is distinct from tier, tier_before is null, null
from (
    select *,
        lag(tier) over (
            partition by symbol, case when mpid is null then firm_crd end, mpid, week_ending, venue_type, unnumbered, is_named
            order by tier
        ) as tier_before
    from otc_internal.counted_as_of(at, first_week, last_week, multi_record)
) as by_tier
where one_tier is null
union all
select
    week_ending, null, true, symbol, mpid, firm_crd, venue_type = 'ATS', venue_name_id, is_named, covers_all,
    volume, trades, notional, place = 1, place = 1, case when place = 1 then venue_volume end
from (
    select *, row_number() over by_venue as place, sum(volume) over by_venue as venue_volume
    from otc_internal.counted_as_of(at, first_week, last_week, multi_record)
    window by_venue as (
        partition by symbol, case when mpid is null then firm_crd end, mpid, week_ending, venue_type, unnumbered, is_named
    )
) as by_week
where one_tier is null
$$;

-- The three largest numbers, none below 0, of two lists, each in descending order.
create or replace function otc_internal.first_three(one numeric[], other numeric[])
returns numeric[] language sql immutable parallel safe as $$
select case
    when one is null then other
    when other is null then one
    else array[
        greatest(one[1], other[1]),
        greatest(least(one[1], other[1]), coalesce(one[2], 0), coalesce(other[2], 0)),
        greatest(
            least(coalesce(one[2], 0), other[1]),
            least(one[1], coalesce(other[2], 0)),
            coalesce(one[3], 0),
            coalesce(other[3], 0)
        )
    ]
end
$$;

-- Whether a scope of a metric is known: what ATSs traded always is, the others where the captures cover all venues.
create or replace function otc_internal.is_scope_known(scope text, covers_all boolean)
returns boolean language sql immutable parallel safe as $$
select scope = 'ATS' or covers_all
$$;

-- The fraction of a symbol's volume that ATSs traded, 0 to 1. Null without volume, or where a tier of the symbol covers ATSs
-- only: it has no row of scope ALL.
create or replace function otc_internal.ats_fraction(tiers bigint, tiers_of_all bigint, ats_volume numeric, volume numeric)
returns numeric language sql immutable parallel safe as $$
select case
    when otc_internal.is_scope_known('ALL', tiers = tiers_of_all) then round(coalesce(ats_volume, 0) / nullif(volume, 0), 6)
end
$$;

-- Sums by symbol and scope. A symbol's other scopes are known where all its tiers cover all venues.
create or replace function otc_internal.symbols_as_of(
    at timestamptz, first_week date, last_week date, multi_record text[], one_tier text
) returns setof otc_internal.symbol_sum language sql stable parallel safe as $$
with by_symbol as ( -- one pass for all scopes
    select
        week_ending,
        tier,
        symbol,
        is_all_tiers,
        bool_and(covers_all) as covers_all,
        sum(volume) filter (where is_ats) as ats_volume,
        sum(trades) filter (where is_ats) as ats_trades,
        sum(notional) filter (where is_ats) as ats_notional,
        count(*) filter (where is_ats and notional is null) as ats_lacking,
        count(*) filter (where is_ats and is_named and is_venue) as ats_venues,
        sum(volume) filter (where is_ats and not is_named) as ats_de_minimis,
        sum(venue_volume * venue_volume) filter (where is_ats and is_named) as ats_squares,
        (array_agg(venue_volume order by venue_volume desc nulls last) filter (where is_ats and is_named))[1:3] as ats_top,
        sum(volume) filter (where not is_ats) as other_volume,
        sum(trades) filter (where not is_ats) as other_trades,
        sum(notional) filter (where not is_ats) as other_notional,
        count(*) filter (where not is_ats and notional is null) as other_lacking,
        count(*) filter (where not is_ats and is_named and is_venue) as other_venues,
        sum(volume) filter (where not is_ats and not is_named) as other_de_minimis,
        sum(venue_volume * venue_volume) filter (where not is_ats and is_named) as other_squares,
        (array_agg(venue_volume order by venue_volume desc nulls last) filter (where not is_ats and is_named))[1:3] as other_top
    from otc_internal.traded_as_of(at, first_week, last_week, multi_record, one_tier)
    where symbol is not null
    group by week_ending, tier, symbol, is_all_tiers
)
select
    s.week_ending,
    s.tier,
    s.symbol,
    scope.name,
    s.is_all_tiers,
    case scope.name
        when 'ATS' then ats_volume
        when 'NON_ATS' then other_volume
        else coalesce(ats_volume, 0) + coalesce(other_volume, 0)
    end,
    case scope.name
        when 'ATS' then ats_trades
        when 'NON_ATS' then other_trades
        else coalesce(ats_trades, 0) + coalesce(other_trades, 0)
    end::bigint,
    case
        when scope.name = 'ATS' then case when ats_lacking = 0 then ats_notional end
        when scope.name = 'NON_ATS' then case when other_lacking = 0 then other_notional end
        when ats_lacking + other_lacking = 0 then coalesce(ats_notional, 0) + coalesce(other_notional, 0)
    end,
    case scope.name when 'ATS' then ats_venues when 'NON_ATS' then other_venues else ats_venues + other_venues end::int,
    coalesce(ats_volume, 0),
    case scope.name
        when 'ATS' then coalesce(ats_de_minimis, 0)
        when 'NON_ATS' then coalesce(other_de_minimis, 0)
        else coalesce(ats_de_minimis, 0) + coalesce(other_de_minimis, 0)
    end,
    case scope.name
        when 'ATS' then coalesce(ats_squares, 0)
        when 'NON_ATS' then coalesce(other_squares, 0)
        else coalesce(ats_squares, 0) + coalesce(other_squares, 0)
    end,
    case scope.name when 'ATS' then ats_top when 'NON_ATS' then other_top else otc_internal.first_three(ats_top, other_top) end
from by_symbol as s
cross join (select unnest(array['ATS', 'NON_ATS', 'ALL']) as name) as scope
where
    otc_internal.is_scope_known(scope.name, s.covers_all)
    and case scope.name when 'ATS' then ats_volume is not null when 'NON_ATS' then other_volume is not null else true end
$$;

-- Sums by venue and tier.
create or replace function otc_internal.venues_as_of(
    at timestamptz, first_week date, last_week date, multi_record text[], one_tier text
) returns setof otc_internal.venue_sum language sql stable parallel safe as $$
select
    week_ending, tier, case when is_ats then 'ATS' else 'NON_ATS' end, mpid, firm_crd, venue_name_id, is_named,
    sum(volume), sum(trades)::bigint, count(symbol) filter (where is_venue), count(symbol) filter (where is_first),
    case when count(*) = count(notional) then sum(notional) end
from otc_internal.traded_as_of(at, first_week, last_week, multi_record, one_tier)
where tier is not null
group by week_ending, tier, is_ats, mpid, firm_crd, venue_name_id, is_named
$$;

-- The volumes of a week to compare another one with, without its symbols and dollars. They are summed in a hash table: the
-- planner would sort all records.
create or replace function otc_internal.compared_venues_as_of(at timestamptz, week date)
returns setof otc_internal.venue_sum language sql stable parallel safe set enable_sort to off as $$
select week_ending, tier, venue_type, mpid, firm_crd, venue_name_id, is_named, sum(volume), sum(trades)::bigint, 0, 0, null::numeric
from otc_internal.counted_as_of(at, week, week)
group by week_ending, tier, venue_type, mpid, firm_crd, venue_name_id, is_named
$$;

-- Sums by symbol: at null those that the week's computation stored, so that a metric has one definition for both.
create or replace function otc.week_symbols(at timestamptz, first_week date, last_week date)
returns setof otc_internal.symbol_sum language sql stable parallel safe as $$
select * from otc_internal.symbol_sum where at is null and week_ending between first_week and last_week
union all
select * from otc_internal.symbols_as_of(at, first_week, last_week, null, null) where at is not null
$$;

-- How many weeks in a row, from this one back, are among some weeks by how far back each is: 1 where the week before is not.
create or replace function otc_internal.streak(backs int[]) returns int language sql immutable parallel safe as $$
select bit_count(((week.bits | 1) & ~(week.bits + 2))::bit(64))::int -- the ones before the first zero
from (select coalesce(bit_or(1::bigint << one.back), 0) as bits from unnest(backs) as one (back)) as week
$$;

-- The product of some numbers, exact.
create or replace aggregate otc_internal.product(numeric) (sfunc = numeric_mul, stype = numeric, parallel = safe);
