-- name: mark_due
-- The week and the later loaded weeks that each metric reaches.
insert into otc.metric_due (week_ending, metric)
select distinct p.week_ending, m.metric
from unnest(%(metrics)s::text[], %(reaches)s::int[]) as m (metric, reach)
inner join otc.loaded_partition as p on p.week_ending between %(week)s and %(week)s::date + 7 * m.reach
order by p.week_ending, m.metric
on conflict do nothing;

-- name: earliest_due
select min(week_ending) as week_ending
from otc.metric_due
where week_ending between %(first)s and %(last)s;

-- name: lock_weeks
-- One runner a week; the earlier weeks that it reads stand still meanwhile. Ascending, so that no two wait in a ring.
select
    case
        when week_ending = %(week)s then pg_advisory_xact_lock(%(space)s, week_ending - date '2000-01-01')
        else pg_advisory_xact_lock_shared(%(space)s, week_ending - date '2000-01-01')
    end
from (
    select (%(week)s::date - 7 * back) as week_ending
    from generate_series(%(reach)s::int, 0, -1) as back
) as weeks;

-- name: take_due
delete from otc.metric_due where week_ending = %(week)s returning metric;

-- name: week_volume
-- Current records of one week, summed over products and issue names: one row a tier, symbol and venue.
-- The group keys begin as the index of current records does, so that nearly nothing is sorted.
create temporary table week_volume on commit drop as
select
    r.tier,
    r.symbol,
    r.mpid,
    r.firm_crd,
    r.venue_type,
    case when r.mpid is null and r.firm_crd is null then n.name end as unnumbered, -- known by its name alone
    not bool_or(coalesce(r.firm_crd = 0, false) or coalesce(n.name = 'De Minimis Firms', false)) as is_named,
    bool_and(p.covers_all) as covers_all,
    max(n.name) as venue_name, -- a venue has one name, all but always; numbers of names tell the order of arrival
    sum(r.share_volume) as volume,
    sum(r.trade_count) as trades,
    case when count(r.notional) = count(*) then sum(r.notional) end as notional
from otc.volume_record as r
inner join otc.loaded_partition as p on p.week_ending = r.week_ending and p.tier = r.tier
left join otc.name as n on n.name_id = r.venue_name_id
where r.week_ending = %(week)s and r.ended_by is null
group by r.tier, r.symbol, r.mpid, r.firm_crd, r.venue_type, unnumbered;

-- name: analyze_week_volume
analyze week_volume;

-- name: store_metric
select otc.store_metric(('otc.' || %(metric)s::text)::regclass, %(week)s) as changed;

-- name: drop_computed
drop table computed;
