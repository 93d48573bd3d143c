-- name: quality_measures
-- What a partition's current records and its newest capture tell. Records without a symbol count for their venues.
with by_symbol as (
    select
        symbol,
        count(*) as records,
        sum(share_volume) as volume,
        sum(share_volume) filter (where venue_type = 'ATS') as ats_volume,
        min(issue_name_id) < max(issue_name_id) as is_doubled,
        count(*) filter (where share_volume <= 0 or trade_count <= 0 or notional <= 0) as zero_records
    from otc.volume_record
    where week_ending = %(week_ending)s and tier = %(tier)s and ended_by is null
    group by symbol
),
by_venue as (
    select distinct mpid
    from otc.volume_record
    where week_ending = %(week_ending)s and tier = %(tier)s and ended_by is null and mpid is not null
),
newest as (
    select * from otc.capture
    where week_ending = %(week_ending)s and tier = %(tier)s and persisted_at is not null
    order by observed_at desc, fetched_key desc
    limit 1
)
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
    cardinality(n.unreconciled) as unreconciled,
    (select coalesce(array_agg(mpid order by mpid), '{}') from by_venue) as venues,
    s.*
from newest as n
cross join (
    select
        coalesce(sum(records), 0)::bigint as records,
        count(symbol) as symbols,
        coalesce(sum(volume), 0) as volume,
        coalesce(sum(ats_volume), 0) as ats_volume,
        count(*) filter (where symbol is not null and is_doubled) as doubled_symbols,
        coalesce(sum(zero_records), 0)::bigint as zero_records
    from by_symbol
) as s;

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
