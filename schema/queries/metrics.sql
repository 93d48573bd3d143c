-- name: mark_due
-- The week and the later loaded weeks that each metric reaches.
insert into otc.metric_due (week_ending, metric, is_reached)
select distinct p.week_ending, m.metric, p.week_ending > %(week)s
from unnest(%(metrics)s::text[], %(reaches)s::int[]) as m (metric, reach)
inner join otc.loaded_partition as p on p.week_ending between %(week)s and %(week)s::date + 7 * m.reach
order by p.week_ending, m.metric
on conflict do nothing;

-- name: coming
-- Partitions of the week, all or other than one, whose records are on their way: one computation for all of them is
-- enough. What was queued long ago may have been lost, and is not waited for.
select distinct tier
from otc.stage_run
where
    week_ending = %(week)s and tier is distinct from %(tier)s and stage in ('cache', 'parse', 'normalize', 'persist')
    and (
        (state = 'queued' and queued_at > now() - interval '10 minutes')
        or (state = 'running' and lease_until > now())
    );

-- name: earliest_due
select min(week_ending) as week_ending
from otc.metric_due
where week_ending between %(first)s and %(last)s;

-- name: try_weeks
-- One runner a week; the earlier weeks that it reads stand still meanwhile.
select
    bool_and(
        case
            when week_ending = %(week)s then pg_try_advisory_xact_lock(%(space)s, week_ending - date '2000-01-01')
            else pg_try_advisory_xact_lock_shared(%(space)s, week_ending - date '2000-01-01')
        end
    ) as is_locked
from (
    select (%(week)s::date - 7 * back) as week_ending
    from generate_series(%(reach)s::int, 0, -1) as back
) as weeks;

-- name: lock_weeks
-- The same, waited for. Ascending, so that no two wait in a ring.
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
delete from otc.metric_due where week_ending = %(week)s returning metric, is_reached;

-- name: plan_by_hash
-- A table that was not analyzed since its weeks came looks empty, and a nested loop over a whole week looks cheap: a
-- capture right after the first load of its quarter took minutes.
select set_config('enable_nestloop', 'off', true), set_config('work_mem', '128MB', true); -- a week fits

-- name: tangled_symbols
-- Symbols of which a venue may have several records: they stand on several tiers, or under several products or names.
select symbol
from otc.volume_record
where week_ending = %(week)s and ended_by is null and symbol is not null
group by symbol
having
    min(tier) < max(tier)
    or min(coalesce(issue_name_id, 0)) < max(coalesce(issue_name_id, 0))
    or min(coalesce(product_type, '')) < max(coalesce(product_type, ''));

-- name: fill_working_week
-- The key of records says that a venue has one record of any other symbol, so that those need no sort.
insert into otc.working_week
select
    r.week_ending,
    r.tier,
    r.symbol,
    r.mpid,
    r.firm_crd,
    r.venue_type,
    r.venue_name_id,
    (
        coalesce(r.firm_crd = 0, false)
        or coalesce(r.venue_name_id = (select n.name_id from otc.name as n where n.name = 'De Minimis Firms'), false)
    ) is false as is_named,
    l.covers_all,
    r.share_volume,
    r.trade_count,
    r.notional,
    true as is_first_on_tier,
    r.share_volume as symbol_volume
from otc.volume_record as r
inner join otc.loaded_partition as l on l.week_ending = r.week_ending and l.tier = r.tier
where r.week_ending = %(week)s and r.ended_by is null and r.symbol is not null and r.symbol <> all(%(tangled)s)
union all
select * from otc.counted_as_of(null, %(week)s, %(week)s) where symbol is null or symbol = any(%(tangled)s);

-- name: clear_working_week
delete from otc.working_week;

-- name: vacuum_working_week
-- What runners left behind would be read by every metric of the next week.
vacuum (skip_locked) otc.working_week;

-- name: store_metric
select otc.store_metric(%(metric)s, %(week)s) as changed;
