-- name: data_version
-- What changes when a number may change: captures, decisions, imports, failures, and the newest computation; what changes with each step
-- of the work; and when the newest capture was observed.
with run as (
    select
        max(finished_at) filter (where stage in ('persist', 'compute')) as changed_at,
        count(*) filter (where state in ('failed', 'held')) as failed,
        max(greatest(finished_at, started_at, queued_at)) as worked_at
    from otc.stage_run
),
capture as (
    select
        count(persisted_at) as persisted,
        count(*) filter (where is_withdrawn) as withdrawn,
        max(observed_at) filter (where persisted_at is not null) as observed_at
    from otc.capture
),
other as (
    select
        (select count(*) from otc.quality_override) as overrides,
        (select count(*) from otc.volume_import) as imports,
        (select count(*) from otc_internal.metric_due) as due,
        (select count(*) from otc.incomplete_week) as incomplete
)
select
    concat_ws(' ', r.changed_at, r.failed, c.persisted, c.withdrawn, o.overrides, o.imports, o.due, o.incomplete) as numbers,
    concat_ws(' ', r.changed_at, r.worked_at, c.persisted, c.withdrawn, o.overrides, o.imports) as work,
    c.observed_at
from run as r, capture as c, other as o;

-- name: listed_symbols
-- The symbols of the newest week of each tier, with the name of their largest record. Each week is read by itself: the planner
-- cannot know that three of all are concerned.
with newest as (
    select tier, max(week_ending) as week_ending from otc.loaded_partition group by tier
),
record as (
    select r.symbol, r.volume, r.issue_name_id
    from newest as n
    cross join lateral (
        select symbol, sum(share_volume) as volume, issue_name_id
        from otc_internal.volume_record
        where week_ending = n.week_ending and tier = n.tier and closed_by is null and symbol is not null
        group by symbol, issue_name_id
        offset 0
    ) as r
)
select distinct on (r.symbol)
    r.symbol, issue.name as issue_name, (sum(r.volume) over (partition by r.symbol))::float as volume
from record as r
left join otc_internal.name as issue on issue.name_id = r.issue_name_id
order by r.symbol, r.volume desc, issue.name;

-- name: venue_weeks
-- The weeks of a venue on a tier and scope, newest first; one week after the other, which the index serves.
select v.*
from (
    select distinct week_ending from otc.loaded_partition
    where %(last)s::date is null or week_ending <= %(last)s::date
) as w
cross join lateral (
    select
        s.week_ending, s.tier, s.scope, s.mpid, s.firm_crd, s.venue_name, s.rank, s.rank_change, s.market_share_pct,
        s.share_change_1w_pts, s.share_change_4w_pts, s.share_change_13w_pts, s.total_volume, s.total_trades, s.symbol_count
    from otc.venue_share as s
    where
        s.week_ending = w.week_ending and s.tier = %(tier)s and s.scope = %(scope)s
        and coalesce(s.mpid, 'CRD ' || s.firm_crd, s.venue_name) = %(venue)s
    order by s.total_volume desc
    limit 1
) as v
order by v.week_ending desc
limit %(limit)s;

-- name: venue_symbols
-- The largest symbols of a venue in a week, all tiers together.
select
    v.week_ending,
    v.symbol,
    round(sum(v.share_volume), 6) as volume,
    sum(v.trade_count)::bigint as trades,
    round(sum(v.share_volume) / nullif(sum(v.trade_count), 0), 6) as avg_trade_size
from (values ('T1'), ('T2'), ('OTCE')) as t (tier)
inner join otc_internal.volume_record as v on v.week_ending = %(week_ending)s and v.tier = t.tier and v.closed_by is null
left join otc_internal.name as n on n.name_id = v.venue_name_id
where v.symbol is not null and coalesce(v.mpid, 'CRD ' || v.firm_crd, n.name) = %(venue)s
group by v.week_ending, v.symbol
order by volume desc, v.symbol
limit %(limit)s;

-- name: league_weeks
-- The shares in some weeks of the venues that lead in the last of them, oldest first.
with leader as (
    select coalesce(mpid, 'CRD ' || firm_crd, venue_name) as venue, max(rank) as place
    from otc.venue_share
    where week_ending = %(last)s and tier = %(tier)s and scope = %(scope)s and rank <= %(ranks)s
    group by 1
)
select s.week_ending, l.venue, s.venue_name, s.market_share_pct, s.rank
from otc.venue_share as s
inner join leader as l on l.venue = coalesce(s.mpid, 'CRD ' || s.firm_crd, s.venue_name)
where s.week_ending = any(%(weeks)s) and s.tier = %(tier)s and s.scope = %(scope)s
order by s.week_ending, l.place, l.venue;

-- name: stage_runs
-- The runs of a partition, in the order of the work.
select
    stage, key, generation, state, attempts, queued_at, started_at, finished_at, output_key, counts, reason
from otc.stage_run
where week_ending = %(week_ending)s and tier = %(tier)s
order by queued_at, array_position(%(stages)s::text[], stage), generation;

-- name: rejects_of
-- Rows of a partition that are no records.
select raw_key, line, reason, symbol, lines, left(text, 200) as text
from otc.reject
where week_ending = %(week_ending)s and tier = %(tier)s
order by raw_key, line
limit %(limit)s;
