-- name: decisions
-- All decisions, oldest first.
select * from otc_internal.decision order by decided_at, decision_id;

-- name: kept_keys
-- Keys of all objects that must be in S3: observations, their raw bytes, decisions and imports.
select fetched_key as key from otc.capture where starts_with(fetched_key, %(prefix)s || '/')
union
select raw_key from otc.capture where starts_with(raw_key, %(prefix)s || '/')
union
select concat_ws('/', %(prefix)s, 'decision', tier, week_ending, decision_id || '.json') from otc_internal.decision
union
select key from otc.volume_import where starts_with(key, %(prefix)s || '/');

-- name: add_decision
-- Add a decision, once.
insert into otc_internal.decision (decision_id, kind, week_ending, tier, subject, reason, grade, score, decided_at)
values (
    %(decision_id)s, %(kind)s, %(week_ending)s, %(tier)s, %(subject)s, %(reason)s, %(grade)s, %(score)s, %(decided_at)s
)
on conflict (decision_id) do nothing;

-- name: lock_observation
-- Wait until no other transaction adds the capture of the observation, or a decision about it: each reads the other.
select pg_advisory_xact_lock(hashtext('otc.observation'), hashtext(%(fetched_key)s));

-- name: mark_withdrawn
-- Set whether a capture is withdrawn: the newest decision about it counts.
update otc.capture set is_withdrawn = d.kind = 'withdraw'
from (
    select kind from otc_internal.decision
    where subject = %(subject)s and kind in ('withdraw', 'restore')
    order by decided_at desc, decision_id desc
    limit 1
) as d
where fetched_key = %(subject)s;

-- name: first_wanted
-- The first week of each tier that was ever requested.
select tier, min(week_ending) as week_ending
from otc_internal.decision
where kind = 'want' and otc.is_partition(week_ending, tier)
group by tier;

-- name: misapplied
-- Captures whose records count although they are withdrawn, or do not count although they should.
select 'persist' as stage, c.normalized_key as key, c.capture_id as generation
from otc.capture as c
where
    c.normalized_key is not null
    and not exists (
        select from otc_internal.table_run as r
        where r.generation = c.capture_id and r.state in ('queued', 'running', 'failed')
    )
    and case
        when c.is_withdrawn then c.persisted_at is not null
        else c.persisted_at is null and c.records > 0
    end
order by c.week_ending, c.tier, c.observed_at;
