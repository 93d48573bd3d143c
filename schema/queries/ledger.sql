-- name: request_run
-- Note a run as due. What is done stays done unless it is asked for again; what was asked for alone, with --only, and
-- then in the normal course is followed by the next stage after all.
insert into otc.stage_run as r (stage, key, generation, week_ending, tier, state, request, is_last, code_version)
values (
    %(stage)s, %(key)s, %(generation)s, %(week_ending)s, %(tier)s, 'queued', %(request)s, %(is_last)s, %(code_version)s
)
on conflict (stage, key, generation) do update set
    state = case r.state when 'running' then 'running' else 'queued' end,
    request = excluded.request, is_last = excluded.is_last, queued_at = now(), reason = null, unended = 0
where
    r.state in ('failed', 'held')
    or (r.state = 'done' and excluded.request is distinct from r.request and excluded.request is not null)
    or (r.state in ('queued', 'running') and r.is_last and not excluded.is_last);

-- name: claim_run
-- One statement decides who runs: the row is free, its lease ran out, or it was asked for again. A run whose workers
-- died in it again and again is left alone. What is due keeps the request and the followers that it was noted with,
-- whichever message of it comes first: one of an earlier request may be delivered again at any time.
insert into otc.stage_run as r (
    stage, key, generation, week_ending, tier, state, request, is_last, code_version,
    attempts, worker, lease_until, started_at
)
values (
    %(stage)s, %(key)s, %(generation)s, %(week_ending)s, %(tier)s, 'running', %(request)s, %(is_last)s, %(code_version)s,
    1, %(worker)s, now() + %(lease)s, now()
)
on conflict (stage, key, generation) do update set
    state = 'running',
    request = case r.state when 'done' then excluded.request else r.request end,
    is_last = case r.state when 'done' then excluded.is_last else r.is_last end,
    code_version = excluded.code_version,
    attempts = r.attempts + 1, worker = excluded.worker, lease_until = excluded.lease_until, started_at = now(),
    finished_at = null,
    unended = case
        when r.state <> 'running' then 0
        when r.worker = %(ours)s then r.unended -- who put it off while Postgres was away has not died
        else r.unended + 1
    end
where
    r.state in ('queued', 'failed', 'held')
    or (r.state = 'running' and r.lease_until < now() and r.unended + 1 < %(most)s)
    or (r.state = 'running' and r.worker = %(ours)s)
    or (r.state = 'done' and excluded.request is not null and excluded.request is distinct from r.request)
returning r.request, r.is_last;

-- name: renew_lease
-- Extend a claim.
update otc.stage_run set lease_until = now() + %(lease)s where worker = %(worker)s and state = 'running';

-- name: run
-- A run's state, and whether its workers died so often that it must not run again.
select
    state, request, is_last, output_key, output_generation, counts,
    state = 'running' and lease_until < now() and unended + 1 >= %(most)s
    and coalesce(worker <> %(ours)s::uuid, true) as is_poison,
    greatest(extract(epoch from lease_until - now()), 0)::float as lease_left
from otc.stage_run
where stage = %(stage)s and key = %(key)s and generation = %(generation)s;

-- name: finish_run
-- Complete a run; no row if another worker holds the lease now.
update otc.stage_run set
    state = 'done', output_key = %(output_key)s, output_generation = %(output_generation)s, counts = %(counts)s::jsonb,
    finished_at = now(), lease_until = null, reason = %(reason)s
where stage = %(stage)s and key = %(key)s and generation = %(generation)s and worker = %(worker)s and state = 'running'
returning is_last;

-- name: settle_computed
-- Complete the runs that wait to compute weeks of which nothing is due any more, nor can be computed of the weeks after them:
-- another run computed for them. The stage that follows, if the pipeline has one, becomes due.
with waiting as (
    select stage, key, generation, week_ending, tier
    from otc.stage_run
    where stage = 'compute' and state = 'queued' and request is null
),
span as (
    select min(week_ending) as first_week, max(week_ending) + 7 * %(reach)s as last_week from waiting
),
computable as materialized (
    select d.week_ending, d.over_stored
    from span
    cross join otc_internal.metric_due as d
    where not d.over_stored and d.week_ending between span.first_week and span.last_week
    union
    select d.week_ending, d.over_stored
    from span
    cross join otc_internal.settled_metrics(span.first_week, span.last_week, %(metrics)s, %(reaches)s, %(reads)s) as s
    inner join otc_internal.metric_due as d on d.week_ending = s.week_ending and d.metric = s.metric and d.over_stored
    where span.first_week is not null
),
settled as (
    update otc.stage_run as r set
        state = 'done', output_key = r.key, counts = '{}', finished_at = now(), reason = null
    from waiting as w
    where
        r.stage = w.stage and r.key = w.key and r.generation = w.generation and r.state = 'queued' and r.request is null
        and not exists (
            select from computable as c
            where c.week_ending between r.week_ending and r.week_ending + case when c.over_stored then 7 * %(reach)s else 0 end
        )
        and (r.week_ending, r.tier) not in (select h.week_ending, h.tier from otc.held_partition as h)
    returning r.stage, r.key, r.generation, r.week_ending, r.tier, r.is_last
),
following as (
    insert into otc.stage_run (stage, key, generation, week_ending, tier, state, code_version)
    select n.stage, s.key, s.generation, s.week_ending, s.tier, 'queued', n.code_version
    from settled as s
    cross join unnest(%(next_stages)s::text[], %(next_versions)s::int[]) as n (stage, code_version)
    where not s.is_last
    on conflict do nothing
)
update otc.dead_letter as d set resolved_at = now()
from settled as s
where d.stage = s.stage and d.key = s.key and d.generation = s.generation and d.resolved_at is null;

-- name: give_back_run
-- Make a run due again, or hold it until the partition is accepted. A run that is put off loses no attempt.
update otc.stage_run set
    state = %(state)s, reason = %(reason)s, lease_until = null, finished_at = now(),
    attempts = attempts - %(is_put_off)s::int
where
    stage = %(stage)s and key = %(key)s and generation = %(generation)s and state <> 'done' and worker = %(worker)s;

-- name: fail_run
-- Fail a run whose message is dead.
update otc.stage_run set
    state = 'failed', reason = %(reason)s, lease_until = null, finished_at = now()
where
    stage = %(stage)s and key = %(key)s and generation = %(generation)s and state <> 'done'
    and not (state = 'running' and lease_until > now());

-- name: producer
-- The run that makes an object.
select stage, key, generation, state, reason
from otc.stage_run
where output_key = %(key)s and key <> output_key -- persist and compute hand on what they read
order by generation desc
limit 1;

-- name: partitions
-- The state of each partition that was ever requested: its newest capture, and the run that says most about it, but for stages
-- that not all need. Rows of impossible partitions are left out: `impossible_runs` lists them.
with newest as (
    select distinct on (week_ending, tier) *
    from otc.capture
    where (%(week_ending)s::date is null or week_ending = %(week_ending)s) and not is_withdrawn
    order by week_ending, tier, observed_at desc, fetched_key desc
),
run as (
    select distinct on (week_ending, tier)
        week_ending,
        tier,
        stage,
        case when state = 'running' and lease_until < now() then 'queued' else state end as state,
        reason,
        attempts
    from otc.stage_run
    where
        (%(week_ending)s::date is null or week_ending = %(week_ending)s) and otc.is_partition(week_ending, tier)
        and stage <> all(%(optional_stages)s)
    order by
        week_ending, tier, (state in ('running', 'queued')) desc, state = 'running' desc,
        coalesce(finished_at, started_at, queued_at) desc
),
counted as (
    select week_ending, tier, count(*) as captures
    from otc.capture
    where %(week_ending)s::date is null or week_ending = %(week_ending)s
    group by week_ending, tier
)
select
    r.week_ending,
    r.tier,
    case
        when r.state = 'done' and r.stage = 'fetch' and n.capture_id is null then 'absent' -- not published yet
        when r.state = 'done' and c.captures > 0 and n.capture_id is null then 'absent' -- all were withdrawn
        when r.state = 'done' and h.tier is not null then 'held'
        when r.state = 'done' and l.key is null and n.capture_id is not null then 'queued'
        else r.state
    end as state,
    r.stage,
    case
        when r.state = 'done' and c.captures > 0 and n.capture_id is null then 'every capture was withdrawn'
        when r.state = 'done' and h.tier is not null then
            format('grade F: %%s; see `otcpipe accept`', array_to_string(q.reasons, '; '))
        when r.reason is null and n.reconciled is false then
            format(
                case cardinality(n.unreconciled)
                    when 1 then '%%s symbol or firm does not add up to FINRA''s totals: %%s'
                    else '%%s symbols or firms do not add up to FINRA''s totals: %%s'
                end,
                cardinality(n.unreconciled), array_to_string(array_replace(n.unreconciled[1:5], '', 'one without a name'), ', ')
            )
        when r.reason is null and n.added_columns <> '{}' then
            format('FINRA added the columns %%s, which are kept and not read', array_to_string(n.added_columns, ', '))
        when r.reason is null and n.rejects > 0 then concat_ws(
            '; ',
            format('%%s set aside: see otc.reject', case n.rejects when 1 then '1 row was' else n.rejects || ' rows were' end),
            nullif(array_to_string(q.reasons, '; '), '')
        )
        else coalesce(r.reason, nullif(array_to_string(q.reasons, '; '), ''))
    end as reason,
    case when r.state = 'queued' and r.attempts > 0 then r.reason end as retry_reason, -- why the last attempt failed
    q.grade,
    n.rows,
    n.records,
    n.totals,
    n.rejects,
    coalesce(c.captures, 0) as captures,
    n.reconciled,
    n.source,
    n.observed_at,
    n.raw_key,
    n.normalized_key
from run as r
left join newest as n on n.week_ending = r.week_ending and n.tier = r.tier
left join counted as c on c.week_ending = r.week_ending and c.tier = r.tier
left join otc.weekly_quality as q on q.week_ending = r.week_ending and q.tier = r.tier
left join otc.held_partition as h on h.week_ending = r.week_ending and h.tier = r.tier
left join otc.stage_run as l -- from persist on, a stage hands on the key that it reads
    on l.stage = %(last_stage)s and l.key = n.normalized_key and l.generation = n.capture_id and l.state = 'done'
order by r.week_ending, array_position(array['T1', 'T2', 'OTCE'], r.tier);

-- name: lock_object
-- Wait until no other transaction replaces the object.
select pg_advisory_xact_lock(hashtextextended('otc.object ' || %(key)s, 0));

-- name: generation_of
-- The newest capture that a key stems from.
select c.capture_id as generation
from otc.capture as c
where
    c.raw_key = %(key)s
    or c.raw_key in (select r.key from otc.stage_run as r where r.stage = 'parse' and r.output_key = %(key)s)
    or c.raw_key in (
        select r.key
        from otc.stage_run as r
        inner join otc.stage_run as n on n.stage = 'normalize' and n.key = r.output_key and n.output_key = %(key)s
        where r.stage = 'parse'
    )
order by c.observed_at desc, c.fetched_key desc
limit 1;

-- name: begun_with
-- The newest run of a stage on each key with a prefix.
select key, generation
from (
    select distinct on (key) key, generation, week_ending, tier
    from otc.stage_run
    where stage = %(stage)s and starts_with(key, %(start)s) and otc.is_partition(week_ending, tier)
    order by key, generation desc
) as newest
order by week_ending, tier, key
limit %(limit)s;
