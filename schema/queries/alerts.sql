-- name: alerts_of
-- What a receiver was notified of; others that notify it wait until the transaction ends.
with locked as materialized (
    select pg_advisory_xact_lock(hashtextextended('otcpipe alert ' || %(receiver)s, 0))
)
select a.kind, a.subject, a.state, a.sentence, a.is_event
from locked
cross join otc_internal.alert as a
where a.receiver = %(receiver)s
order by a.notified_at, a.kind, a.subject;

-- name: note_alert
-- Record that a receiver was notified of a condition in its present state.
insert into otc_internal.alert (receiver, kind, subject, state, sentence, is_event)
values (%(receiver)s, %(kind)s, %(subject)s, %(state)s, %(sentence)s, %(is_event)s)
on conflict (receiver, kind, subject) do update
set state = excluded.state, sentence = excluded.sentence, is_event = excluded.is_event, notified_at = now();

-- name: end_alert
-- Record that a receiver was notified that a condition is over.
delete from otc_internal.alert where receiver = %(receiver)s and kind = %(kind)s and subject = %(subject)s;

-- name: has_capture
-- Whether a partition was ever observed.
select exists (
    select from otc.capture where week_ending = %(week_ending)s and tier = %(tier)s
) as has_capture;

-- name: unreconciled
-- Partitions whose newest capture differs from FINRA's own totals.
select *
from (
    select distinct on (week_ending, tier)
        week_ending, tier, capture_id, reconciled, cardinality(unreconciled) as symbols
    from otc.capture
    where not is_withdrawn and tier = any(%(tiers)s) and otc.is_partition(week_ending, tier)
    order by week_ending, tier, observed_at desc, capture_id
) as newest
where reconciled is false;

-- name: recent_restatements
-- Captures of the last days that changed a symbol that is watched, or at least so many shares in all. A source that
-- covers more than those before adds records without restating them. The records are read capture by capture: the planner cannot
-- know that few weeks of all are concerned.
with recent as (
    select *
    from otc.capture_order
    where not is_first and observed_at > %(now)s - make_interval(days => %(days)s) and otc.is_partition(week_ending, tier)
),
touched as (
    select c.week_ending, c.tier, c.capture_id, r.symbol, r.share_volume as shares
    from recent as c
    cross join lateral (
        select symbol, venue_type, share_volume from otc.volume_record
        where week_ending = c.week_ending and tier = c.tier and opened_by = c.capture_id
        offset 0
    ) as r
    where r.venue_type = 'ATS' or not c.is_first_of_all
    union all
    select c.week_ending, c.tier, c.capture_id, r.symbol, -r.share_volume
    from recent as c
    cross join lateral (
        select symbol, share_volume from otc.volume_record
        where week_ending = c.week_ending and tier = c.tier and closed_by = c.capture_id
        offset 0
    ) as r
),
changed as (
    select week_ending, tier, capture_id, symbol, abs(sum(shares)) as shares
    from touched
    group by week_ending, tier, capture_id, symbol
    having sum(shares) <> 0
)
select
    week_ending,
    tier,
    capture_id,
    count(*) as symbols,
    sum(shares) as shares,
    coalesce(array_agg(symbol order by symbol) filter (where symbol = any(%(symbols)s)), '{}') as watched
from changed
group by week_ending, tier, capture_id
having sum(shares) >= %(shares)s or bool_or(symbol = any(%(symbols)s))
order by week_ending, tier, capture_id;
