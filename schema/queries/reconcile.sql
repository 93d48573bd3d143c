-- name: stranded
-- Runs that are due and whose lease is held by no worker, oldest week first.
select
    stage,
    key,
    generation,
    request,
    is_last,
    case when state = 'running' then 'its worker is gone' else 'its message is gone' end as why
from otc.stage_run
where (state = 'queued' and queued_at < now() - %(patience)s) or (state = 'running' and lease_until < now())
order by week_ending, tier, queued_at;

-- name: cached_keys
-- Keys of all observations in the ledger.
select key from otc.stage_run where stage = 'cache';

-- name: stale
-- For each capture the first run of its current chain that was made by another version of the stage's code.
with version as (
    select * from unnest(%(stages)s::text[], %(versions)s::int[]) with ordinality as v (stage, code_version, place)
),
chain as (
    select c.capture_id, p.stage, p.key, p.generation
    from otc.capture as c
    inner join otc.stage_run as p on p.stage = 'parse' and p.key = c.raw_key and p.generation = c.capture_id
    union all
    select c.capture_id, n.stage, n.key, n.generation
    from otc.capture as c
    inner join otc.stage_run as p on p.stage = 'parse' and p.key = c.raw_key and p.generation = c.capture_id
    inner join otc.stage_run as n on n.stage = 'normalize' and n.key = p.output_key and n.generation = c.capture_id
    union all
    select c.capture_id, r.stage, r.key, r.generation -- persist and the stages after it
    from otc.capture as c
    inner join otc.stage_run as r on r.key = c.normalized_key and r.generation = c.capture_id
)
select distinct on (c.capture_id) c.stage, c.key, c.generation, r.code_version
from chain as c
inner join otc.stage_run as r on r.stage = c.stage and r.key = c.key and r.generation = c.generation and r.state = 'done'
inner join version as v on v.stage = c.stage and v.code_version <> r.code_version
order by c.capture_id, v.place;

-- name: freed
-- Runs that are held although their partition no longer is.
select stage, key, generation
from otc.stage_run
where state = 'held' and (week_ending, tier) not in (select h.week_ending, h.tier from otc.held_partition as h)
order by week_ending, tier;

-- name: outrun
-- For each week and each of some stages after compute, the newest run, if it is done and metrics of the week were computed after
-- it began: as where the rows of a held partition are gone, or another week was restated. None is due or under way.
select newest.stage, newest.key, newest.generation, w.computed_at
from (
    select distinct on (stage, week_ending) *
    from otc.stage_run
    where stage = any(%(stages)s)
    order by stage, week_ending, state in ('queued', 'running') desc, started_at desc
) as newest
inner join otc_internal.week_computation as w on w.week_ending = newest.week_ending
where
    newest.state = 'done' and newest.started_at < w.computed_at
    and newest.week_ending not in (select d.week_ending from otc_internal.metric_due as d)
order by newest.week_ending, newest.stage;

-- name: uncomputed
-- Weeks whose metrics are due while no run that could compute them is under way: for each its newest capture.
select distinct on (c.week_ending) 'compute' as stage, c.normalized_key as key, c.capture_id as generation
from (select distinct week_ending from otc_internal.metric_due) as d
inner join otc.capture as c on c.week_ending = d.week_ending and c.normalized_key is not null
where
    d.week_ending between %(first)s and %(last)s
    and not exists (
        select from otc.stage_run as r
        where
            (
                (r.stage = 'compute' and r.state in ('queued', 'running')) or otc_internal.is_awaited(r)
            )
            and r.week_ending between d.week_ending - 7 * %(reach)s and d.week_ending
    )
    and not exists (
        select from otc_internal.table_run as r
        where r.state = 'failed' and r.key = c.normalized_key and r.week_ending = c.week_ending
    )
order by c.week_ending, c.persisted_at is not null desc, c.observed_at desc, c.fetched_key desc;

-- name: absent
-- Fetches that found nothing published, of partitions that were not captured since.
select r.week_ending, r.tier, r.key
from otc.stage_run as r
where
    r.stage = 'fetch' and r.state = 'done' and r.output_key is null and r.finished_at < %(asked_before)s
    and otc.is_partition(r.week_ending, r.tier)
    and not exists (select from otc.capture as c where c.week_ending = r.week_ending and c.tier = r.tier)
order by r.week_ending, r.tier;
