-- name: newest_capture
-- What its rows came to, for the quality of a partition.
select
    n.week_ending,
    n.tier,
    n.capture_id,
    n.digest,
    exists (
        select from otc.capture as c
        where c.week_ending = n.week_ending and c.tier = n.tier and c.persisted_at is not null and c.covers = 'all'
    ) as covers_all,
    n.rows,
    n.rejects,
    cardinality(n.unreconciled) as unreconciled
from otc.capture as n
where n.week_ending = %(week_ending)s and n.tier = %(tier)s and n.persisted_at is not null
order by n.observed_at desc, n.fetched_key desc
limit 1;

-- name: current_records
select symbol, issue_name, venue_type, mpid, share_volume, trade_count, notional
from otc.venue_volume
where week_ending = %(week_ending)s and tier = %(tier)s;

-- name: quality_around
-- The tier's judged weeks near a week, without those that nobody trusts.
select q.*
from otc.weekly_quality as q
where
    q.tier = %(tier)s
    and q.week_ending <> %(week_ending)s
    and q.week_ending between %(week_ending)s::date - %(days)s::int and %(week_ending)s::date + %(days)s::int
    and (q.week_ending, q.tier) not in (select h.week_ending, h.tier from otc.held_partition as h);

-- name: store_quality
insert into otc.weekly_quality (
    week_ending, tier, capture_id, digest, grade, score, reasons, covers_all, rows, rejects, unreconciled,
    records, symbols, volume, ats_volume, venues, doubled_symbols, zero_records, judged_at
)
values (
    %(week_ending)s, %(tier)s, %(capture_id)s, %(digest)s, %(grade)s, %(score)s, %(reasons)s, %(covers_all)s,
    %(rows)s, %(rejects)s, %(unreconciled)s, %(records)s, %(symbols)s, %(volume)s, %(ats_volume)s, %(venues)s,
    %(doubled_symbols)s, %(zero_records)s, %(now)s
)
on conflict (week_ending, tier) do update set
    capture_id = excluded.capture_id, digest = excluded.digest, grade = excluded.grade, score = excluded.score,
    reasons = excluded.reasons, covers_all = excluded.covers_all, rows = excluded.rows, rejects = excluded.rejects,
    unreconciled = excluded.unreconciled, records = excluded.records, symbols = excluded.symbols,
    volume = excluded.volume, ats_volume = excluded.ats_volume, venues = excluded.venues,
    doubled_symbols = excluded.doubled_symbols, zero_records = excluded.zero_records, judged_at = excluded.judged_at;

-- name: quality
select q.*, h.tier is not null as is_held
from otc.weekly_quality as q
left join otc.held_partition as h on h.week_ending = q.week_ending and h.tier = q.tier
where q.week_ending = %(week_ending)s and q.tier = %(tier)s;

-- name: accept
insert into otc.acceptance (week_ending, tier, digest, reason, grade, score, accepted_at)
select week_ending, tier, digest, %(reason)s, grade, score, %(now)s
from otc.weekly_quality
where week_ending = %(week_ending)s and tier = %(tier)s;
