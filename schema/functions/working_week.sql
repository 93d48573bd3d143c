-- What metrics build on: the records of some weeks that count at a moment, a row each. A venue's records of a symbol, on
-- several tiers or under several products or issue names, are next to each other in the sort that both windows share. It
-- starts with what tells most rows apart: with the week in front it took twice as long.
create or replace function otc.counted_as_of(at timestamptz, first_week date, last_week date)
returns setof otc.working_week language sql stable parallel safe as $$
with record as (
    select
        r.*,
        case when r.mpid is null and r.firm_crd is null then r.venue_name_id end as unnumbered,
        (
            coalesce(r.firm_crd = 0, false)
            or coalesce(r.venue_name_id = (select n.name_id from otc.name as n where n.name = 'De Minimis Firms'), false)
        ) is false as is_named
    from otc.counting_as_of($1) as r
    where r.week_ending between $2 and $3
)
select
    r.week_ending,
    r.tier,
    r.symbol,
    r.mpid,
    r.firm_crd,
    r.venue_type,
    r.venue_name_id,
    r.is_named,
    (r.week_ending, r.tier) in (select p.week_ending, p.tier from otc.loaded_as_of($1) as p where p.covers_all),
    r.share_volume,
    r.trade_count,
    r.notional,
    lag(r.tier) over by_venue is distinct from r.tier,
    case
        when lag(r.tier) over by_venue is null then
            sum(r.share_volume) over (
                partition by r.symbol, r.firm_crd, r.mpid, r.week_ending, r.venue_type, r.unnumbered, r.is_named
            )
    end
from record as r
where (r.week_ending, r.tier) in (select p.week_ending, p.tier from otc.loaded_as_of($1) as p)
window by_venue as (
    partition by r.symbol, r.firm_crd, r.mpid, r.week_ending, r.venue_type, r.unnumbered, r.is_named order by r.tier
)
$$;

-- The same from the working week where the moment is null: metrics have one definition for both.
create or replace function otc.week_volume(at timestamptz, first_week date, last_week date)
returns setof otc.working_week language sql stable parallel safe as $$
select * from otc.working_week where $1 is null
union all
select * from otc.counted_as_of($1, $2, $3) where $1 is not null
$$;
