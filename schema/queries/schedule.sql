-- name: begin_fires
-- A job that never ran counts from its first start on.
insert into otc_internal.schedule_fire (job, scheduled_for, finished_at, outcome)
select j.job, %(now)s, now(), 'first start'
from unnest(%(jobs)s::text[]) as j (job)
where not exists (select from otc_internal.schedule_fire as f where f.job = j.job)
on conflict do nothing;

-- name: last_fires
-- The newest time that each job completed.
select job, max(scheduled_for) as scheduled_for
from otc_internal.schedule_fire
where finished_at is not null
group by job;

-- name: claim_fire
-- Claim a job's time; no row if another scheduler has it, unless that one died or gave it back.
insert into otc_internal.schedule_fire as f (job, scheduled_for)
values (%(job)s, %(scheduled_for)s)
on conflict (job, scheduled_for) do update set fired_at = now()
where f.finished_at is null and f.fired_at < now() - %(patience)s
returning job;

-- name: release_fire
-- Give a claimed time back.
update otc_internal.schedule_fire set fired_at = '-infinity'
where job = %(job)s and scheduled_for = %(scheduled_for)s and finished_at is null;

-- name: finish_fire
-- Note what a job did.
update otc_internal.schedule_fire set finished_at = now(), outcome = %(outcome)s
where job = %(job)s and scheduled_for = %(scheduled_for)s;

-- name: drop_old_fires
-- Delete old rows; each job keeps its newest.
delete from otc_internal.schedule_fire as f
where
    f.scheduled_for < %(now)s - make_interval(days => %(days)s)
    and exists (
        select from otc_internal.schedule_fire as later
        where later.job = f.job and later.scheduled_for > f.scheduled_for and later.finished_at is not null
    );

-- name: stale_weeks
-- Weeks whose metrics a runner left due or older code made, unless something is pending for the week; for each the newest
-- capture whose records are in, by which a compute run is asked for.
with stale as (
    select week_ending from otc_internal.metric_due
    union
    select week_ending
    from otc.stage_run
    where stage = 'compute' and state = 'done'
    group by week_ending
    having max(code_version) < %(code_version)s
)
select distinct on (c.week_ending) 'compute' as stage, c.normalized_key as key, c.capture_id as generation
from stale as s
inner join otc.capture as c on c.week_ending = s.week_ending and c.persisted_at is not null
where
    not exists (
        select from otc_internal.table_run as r
        where r.week_ending = s.week_ending and r.state in ('queued', 'running')
    )
    and (c.week_ending, c.tier) not in (select h.week_ending, h.tier from otc.held_partition as h)
order by c.week_ending, c.observed_at desc, c.fetched_key desc;
