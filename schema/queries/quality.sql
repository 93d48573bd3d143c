-- name: current_records
-- The current records of a partition, as they are graded.
select symbol, issue_name, venue_type, mpid, share_volume, trade_count, notional
from otc.venue_volume
where week_ending = %(week_ending)s and tier = %(tier)s;

-- name: lock_grades
-- Grades of a tier depend on each other: one transaction at a time gives them.
select pg_advisory_xact_lock(hashtext('otc.grades ' || %(tier)s));

-- name: unmeasured
-- Those of the captures that were not measured yet.
select c.capture_id from unnest(%(captures)s::bigint[]) as c (capture_id)
where not exists (select from otc.capture_quality as q where q.capture_id = c.capture_id);

-- name: store_measures
-- Store what a capture is graded by; the grade follows, by comparison with the weeks around it.
insert into otc.capture_quality (
    capture_id, week_ending, tier, digest, grade, score, reasons, covers_all, rows, rejects, unreconciled,
    records, symbols, volume, ats_volume, venues, doubled_symbols, zero_records, judged_at
)
values (
    %(capture_id)s, %(week_ending)s, %(tier)s, %(digest)s, 'A', 100, '{}', %(covers_all)s,
    %(rows)s, %(rejects)s, %(unreconciled)s, %(records)s, %(symbols)s, %(volume)s, %(ats_volume)s, %(venues)s,
    %(doubled_symbols)s, %(zero_records)s, %(now)s
)
on conflict (capture_id) do update set
    covers_all = excluded.covers_all, rows = excluded.rows, rejects = excluded.rejects,
    unreconciled = excluded.unreconciled, records = excluded.records, symbols = excluded.symbols,
    volume = excluded.volume, ats_volume = excluded.ats_volume, venues = excluded.venues,
    doubled_symbols = excluded.doubled_symbols, zero_records = excluded.zero_records;

-- name: store_grade
-- Store a capture's grade.
update otc.capture_quality set grade = %(grade)s, score = %(score)s, reasons = %(reasons)s, judged_at = %(now)s
where capture_id = %(capture_id)s;

-- name: quality_around
-- Measures of the tier's captures near a week in the order of observation, and whether each counts, and is the newest of its
-- partition.
select
    q.*,
    c.covers,
    q.capture_id = first_value(q.capture_id) over (
        partition by q.week_ending order by c.persisted_at is not null desc, c.observed_at desc, c.fetched_key desc
    ) and c.persisted_at is not null as is_newest,
    c.persisted_at is not null as counts,
    exists (
        select from otc_internal.decision as d
        where d.kind = 'accept' and d.week_ending = q.week_ending and d.tier = q.tier and d.subject = q.digest
    ) as is_accepted
from otc.capture_quality as q
inner join otc.capture as c on c.capture_id = q.capture_id
where
    q.tier = %(tier)s
    and q.week_ending between %(week_ending)s::date - %(days)s::int and %(week_ending)s::date + %(days)s::int
order by c.observed_at, c.fetched_key;

-- name: held_weeks
-- Held weeks of a tier.
select week_ending from otc.held_partition where tier = %(tier)s;

-- name: quality
-- The grade of a partition.
select q.*, h.tier is not null as is_held
from otc.weekly_quality as q
left join otc.held_partition as h on h.week_ending = q.week_ending and h.tier = q.tier
where q.week_ending = %(week_ending)s and q.tier = %(tier)s;
