-- name: lease_of
-- Whether a worker runs it right now: its message is recorded as dead after that.
select state = 'running' and lease_until > now() as is_held, state = 'done' as is_done
from otc.stage_run
where stage = %(stage)s and key = %(key)s and generation = %(generation)s;

-- name: add_letter
-- Add a dead letter, once.
insert into otc.dead_letter (
    redis_message_id, queue, actor, stage, key, generation, week_ending, tier, request, is_last, code_version,
    message, error_class, reason, traceback, attempts, first_at, last_at, resolved_at
)
values (
    %(redis_message_id)s, %(queue)s, %(actor)s, %(stage)s, %(key)s, %(generation)s, %(week_ending)s, %(tier)s,
    %(request)s, %(is_last)s, %(code_version)s,
    %(message)s, %(error_class)s, %(reason)s, %(traceback)s, %(attempts)s, %(first_at)s, %(last_at)s,
    case when %(is_done)s then now() end
)
on conflict (redis_message_id) do nothing;

-- name: resolve_letters
-- Resolve the dead letters of a run.
update otc.dead_letter set resolved_at = now()
where stage = %(stage)s and key = %(key)s and generation = %(generation)s and resolved_at is null;

-- name: letters
-- Dead letters that match a filter, the newest first.
select *
from otc.letter
where
    (%(ids)s::bigint[] is null or letter_id = any(%(ids)s))
    and (%(stage)s::text is null or stage = %(stage)s)
    and (%(week_ending)s::date is null or week_ending = %(week_ending)s)
    and (%(error)s::text is null or error_class = %(error)s)
    and (%(since)s::timestamptz is null or last_at >= %(since)s)
    and (%(every)s or state = 'open')
order by last_at desc, letter_id desc;

-- name: take_letter
-- Mark a letter as replayed; no row if another process did.
update otc.dead_letter set replayed_at = now()
where letter_id = %(letter_id)s and replayed_at is null and resolved_at is null
returning letter_id;

-- name: old_letters
-- Number of dead letters before a moment.
select count(*) as letters, count(*) filter (where state = 'open') as open
from otc.letter
where last_at < %(before)s;

-- name: purge_letters
-- Delete dead letters before a moment.
delete from otc.dead_letter where last_at < %(before)s;

-- name: address_letter
-- Note the run of a message that could not be read when it died, and can be read now.
update otc.dead_letter set
    stage = %(stage)s, key = %(key)s, generation = %(generation)s, week_ending = %(week_ending)s, tier = %(tier)s,
    request = %(request)s, is_last = %(is_last)s
where letter_id = %(letter_id)s and stage is null;
