-- symbol_venue_share: each named venue's share of a symbol's volume in a week, all tiers together, and how it changed.
-- A row is about as large as a record, so that nothing is stored: the function reads the records of the symbols asked for.
-- An earlier share of an ATS is 0 where the symbol was traded without it: FINRA names every ATS. Another firm without a
-- record may be one of the de minimis firms, so that its change is null; so is any change where the scope of the symbol's
-- earlier week is not known or has no volume.
-- formula: share_pct = 100 x the venue's volume in the symbol / the symbol's volume in the scope
-- reaches: 13

create or replace function otc.symbol_venue_share_as_of(
    at timestamptz, first_week date default '-infinity', last_week date default 'infinity', symbols text[] default null
) returns setof otc.symbol_venue_share language sql stable parallel safe as $$
with week as ( -- those asked for, and those to compare with
    select distinct asked.week_ending - back.days as week_ending
    from otc.loaded_as_of(at) as asked
    cross join (values (0), (7), (28), (91)) as back (days)
    where asked.week_ending between first_week and last_week
),
record as ( -- two branches, so that an index serves the symbols
    select r.*
    from week as w
    cross join lateral otc_internal.counted_as_of(at, w.week_ending, w.week_ending) as r
    where symbols is not null and r.symbol = any(symbols)
    union all
    select r.*
    from week as w
    cross join lateral otc_internal.counted_as_of(at, w.week_ending, w.week_ending) as r
    where symbols is null and r.symbol is not null
),
venue as (
    select
        r.week_ending,
        r.symbol,
        r.venue_type,
        r.mpid,
        case when r.mpid is null then r.firm_crd end as number,
        n.name as unnumbered,
        r.is_named,
        max(r.firm_crd) as firm_crd,
        max(v.name) as venue_name,
        sum(r.volume) as volume,
        sum(r.trades)::bigint as trades,
        case when count(*) = count(r.notional) then sum(r.notional) end as notional,
        bool_and(bool_and(r.covers_all)) over (partition by r.week_ending, r.symbol) as covers_all
    from record as r
    left join otc_internal.name as v on v.name_id = r.venue_name_id
    left join otc_internal.name as n on n.name_id = r.unnumbered
    group by r.week_ending, r.symbol, r.venue_type, r.mpid, number, n.name, r.is_named
),
scoped as (
    select
        v.*,
        scope.name as scope,
        round(100 * v.volume / nullif(sum(v.volume) over in_scope, 0), 4) as share_pct,
        rank() over (in_scope order by not v.is_named, v.volume desc)::int as rank -- the unnamed firms come last
    from venue as v
    cross join lateral (values (v.venue_type), ('ALL')) as scope (name)
    where otc_internal.is_scope_known(scope.name, v.covers_all)
    window in_scope as (partition by v.week_ending, v.symbol, scope.name)
),
compared as ( -- each week beside those before: one pass in place of a join for each
    select
        s.week_ending + back.days as week_ending,
        s.symbol,
        s.scope,
        s.mpid,
        s.venue_type,
        s.is_named,
        max(s.firm_crd) filter (where back.days = 0) as firm_crd,
        max(s.venue_name) filter (where back.days = 0) as venue_name,
        max(s.volume) filter (where back.days = 0) as volume,
        max(s.trades) filter (where back.days = 0) as trades,
        max(s.notional) filter (where back.days = 0) as notional,
        max(s.share_pct) filter (where back.days = 0) as share_pct,
        max(s.rank) filter (where back.days = 0) as rank,
        coalesce(max(s.share_pct) filter (where back.days = 7), absent.share_pct) as share_pct_1,
        coalesce(max(s.share_pct) filter (where back.days = 28), absent.share_pct) as share_pct_4,
        coalesce(max(s.share_pct) filter (where back.days = 91), absent.share_pct) as share_pct_13,
        bool_or(bool_or(back.days = 7)) over in_scope as is_traded_1,
        bool_or(bool_or(back.days = 28)) over in_scope as is_traded_4,
        bool_or(bool_or(back.days = 91)) over in_scope as is_traded_13
    from scoped as s
    cross join (values (0), (7), (28), (91)) as back (days)
    cross join lateral (select case when s.venue_type = 'ATS' then 0 end as share_pct) as absent
    where s.share_pct is not null and s.week_ending + back.days between first_week and last_week
    group by
        s.week_ending + back.days, s.symbol, s.scope, s.venue_type, s.mpid, s.number, s.unnumbered, s.is_named,
        absent.share_pct
    window in_scope as (partition by s.week_ending + back.days, s.symbol, s.scope)
),
changed as (
    select
        *,
        case when is_traded_1 then share_pct - share_pct_1 end as points_1,
        case when is_traded_4 then share_pct - share_pct_4 end as points_4,
        case when is_traded_13 then share_pct - share_pct_13 end as points_13
    from compared
    where is_named and share_pct is not null
)
select
    week_ending,
    symbol,
    scope,
    mpid,
    firm_crd,
    venue_name,
    volume,
    trades,
    notional,
    round(volume / nullif(trades, 0), 6),
    share_pct,
    rank,
    points_1,
    points_4,
    points_13,
    100 * points_1,
    100 * points_4,
    100 * points_13
from changed
$$;
