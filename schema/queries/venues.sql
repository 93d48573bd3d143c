-- name: venue_week
-- The newest week of a scope with all tiers, else the newest with one; or of the tier that is asked for.
(
    select week_ending, tier
    from otc.venue_share
    where
        scope = %(scope)s and tier = coalesce(%(tier)s, 'ALL_TIERS')
        and (%(week_ending)s::date is null or week_ending = %(week_ending)s)
    order by week_ending desc
    limit 1
)
union all
(
    select week_ending, tier
    from otc.venue_share
    where
        scope = %(scope)s and %(tier)s::text is null
        and (%(week_ending)s::date is null or week_ending = %(week_ending)s)
    order by week_ending desc, array_position(array['T1', 'T2', 'OTCE'], tier)
    limit 1
)
limit 1;

-- name: venues
-- The leaderboard of a week and tier, and how many of each venue's records FINRA updated after their publication.
with updated as (
    select
        of_tier.mpid,
        of_tier.firm_crd,
        of_tier.unnumbered_id,
        sum(of_tier.records)::int as records,
        max(of_tier.updated_on) as updated_on
    from (values ('T1'), ('T2'), ('OTCE')) as t (tier)
    cross join lateral ( -- a tier at a time, which the index serves: of a whole week the planner fears too much
        select
            v.mpid,
            case when v.mpid is null then v.firm_crd end as firm_crd,
            case when v.mpid is null and v.firm_crd is null then v.venue_name_id end as unnumbered_id,
            count(*) as records,
            max(v.updated_on) as updated_on
        from otc_internal.volume_record as v
        inner join otc.capture as c on c.capture_id = v.opened_by
        where
            v.week_ending = %(week_ending)s and v.tier = t.tier and v.closed_by is null
            and (v.published_on is null or v.updated_on > v.published_on) -- few are left to look closer at
            and v.updated_on > coalesce(v.published_on, c.published_on)
        group by 1, 2, 3
    ) as of_tier
    where %(tier)s in (t.tier, 'ALL_TIERS')
    group by 1, 2, 3
),
named as (
    select r.*, array[r.mpid, r.firm_crd::text, n.name] as venue
    from updated as r
    left join otc_internal.name as n on n.name_id = r.unnumbered_id
)
select
    s.week_ending,
    s.tier,
    s.scope,
    s.rank,
    s.rank_change,
    s.mpid,
    s.firm_crd,
    s.venue_name,
    s.market_share_pct,
    s.share_change_1w_pts,
    s.share_change_4w_pts,
    s.share_change_13w_pts,
    s.total_volume,
    s.total_trades,
    s.avg_trade_size,
    s.total_notional,
    s.symbol_count,
    (
        select max(c.published_on) from otc.capture as c
        where c.week_ending = s.week_ending and c.persisted_at is not null and s.tier in (c.tier, 'ALL_TIERS')
    ) as published_on,
    r.updated_on,
    coalesce(r.records, 0) as updated_records
from otc.venue_share as s
left join named as r
    on r.venue = array[
        s.mpid,
        case when s.mpid is null then s.firm_crd::text end,
        case when s.mpid is null and s.firm_crd is null then s.venue_name end
    ]
where s.week_ending = %(week_ending)s and s.tier = %(tier)s and s.scope = %(scope)s
order by s.rank, s.venue_name, s.mpid, s.firm_crd;
