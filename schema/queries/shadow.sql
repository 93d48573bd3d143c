-- name: try_shadow
-- Lock the shadow, if no other transaction has it.
select pg_try_advisory_xact_lock(hashtext('otc.shadow')) as is_locked;

-- name: wait_without_end
-- Let the transaction idle, however long it takes.
set local idle_in_transaction_session_timeout = 0;

-- name: drop_schemas
-- Drop all tables and functions. A transaction holds a lock on each of them.
drop schema if exists otc cascade;
drop schema if exists otc_internal cascade;

-- name: shadow_weeks
-- Weeks with captures up to a last one, and what is to be run again of each.
select week_ending, count(*) as captures, sum(rows)::bigint as rows, sum(records)::bigint as records
from otc.capture
where normalized_key is not null and week_ending <= %(last)s
group by week_ending
order by week_ending;

-- name: fill_shadow
-- Copy what the records of the shadow are made from: observations, decisions and imported volumes. Captures of other weeks
-- come with their measures, because grades compare a week with those around it.
insert into otc_shadow.capture (
    capture_id, week_ending, tier, source, covers, fetched_key, raw_key, digest, observed_at, published_on,
    record_total, pages, request_ids, added_columns, is_withdrawn
)
select
    capture_id, week_ending, tier, source, covers, fetched_key, raw_key, digest, observed_at, published_on,
    record_total, pages, request_ids, added_columns, is_withdrawn
from otc.capture
where normalized_key is not null and week_ending between %(first)s and %(last)s;

insert into otc_shadow.capture (
    capture_id, week_ending, tier, source, covers, fetched_key, raw_key, digest, observed_at, published_on,
    record_total, pages, request_ids, added_columns, is_withdrawn,
    reconciled, unreconciled, normalized_key, rows, records, totals, rejects, persisted_at, newest_update, late_records,
    late_symbols, dated_symbols
)
select
    capture_id, week_ending, tier, source, covers, fetched_key, raw_key, digest, observed_at, published_on,
    record_total, pages, request_ids, added_columns, is_withdrawn,
    reconciled, unreconciled, normalized_key, rows, records, totals, rejects, persisted_at, newest_update, late_records,
    late_symbols, dated_symbols
from otc.capture
where normalized_key is not null and not week_ending between %(first)s and %(last)s;

insert into otc_shadow.capture_quality (
    capture_id, week_ending, tier, digest, grade, score, reasons, covers_all, rows, rejects, unreconciled, records,
    symbols, volume, ats_volume, venues, doubled_symbols, zero_records, judged_at
)
select
    capture_id, week_ending, tier, digest, grade, score, reasons, covers_all, rows, rejects, unreconciled, records,
    symbols, volume, ats_volume, venues, doubled_symbols, zero_records, judged_at
from otc.capture_quality
where not week_ending between %(first)s and %(last)s;

insert into otc_shadow_internal.decision (decision_id, kind, week_ending, tier, subject, reason, grade, score, decided_at)
select decision_id, kind, week_ending, tier, subject, reason, grade, score, decided_at
from otc_internal.decision;

insert into otc_shadow.trading_week (week_ending, trading_days, half_days)
select week_ending, trading_days, half_days
from otc.trading_week;

insert into otc_shadow.volume_import (
    import_id, dataset, source, key, digest, observed_at, first_day, last_day, rows
)
select import_id, dataset, source, key, digest, observed_at, first_day, last_day, rows
from otc.volume_import;

insert into otc_shadow_internal.market_volume (
    day, participant_code, tape, participant, shares, notional, trades, opened_by, closed_by
)
select day, participant_code, tape, participant, shares, notional, trades, opened_by, closed_by
from otc_internal.market_volume;

insert into otc_shadow_internal.consolidated_volume (day, symbol, source, volume, opened_by, closed_by)
select day, symbol, source, volume, opened_by, closed_by
from otc_internal.consolidated_volume;

insert into otc_shadow_internal.stock_split (
    symbol, ex_date, ratio, week_ending, mixed_ratio, known_from, opened_by, closed_by
)
select symbol, ex_date, ratio, week_ending, mixed_ratio, known_from, opened_by, closed_by
from otc_internal.stock_split;

-- name: shadow_partitions
-- The partitions to run, oldest first.
select distinct week_ending, tier
from otc.capture
where normalized_key is null
order by week_ending, tier;

-- name: keep_marks_of_weeks
-- Nothing is due of weeks whose records are not in the shadow.
delete from otc_internal.metric_due where not week_ending between %(first)s and %(last)s;

-- name: has_changed_since
-- Whether captures of a week arrived or were withdrawn since the shadow was filled.
select exists (
    select
    from (select * from otc.capture where week_ending = %(week)s) as live
    full join (select * from otc_shadow.capture where week_ending = %(week)s) as shadow
        on shadow.capture_id = live.capture_id
    where
        (shadow.capture_id is null and live.normalized_key is not null)
        or live.capture_id is null
        or live.is_withdrawn <> shadow.is_withdrawn
) as has_changed;

-- name: compared_captures
-- The account and the grade of a week's captures.
select
    c.capture_id, c.tier, c.rows, c.records, c.totals, c.rejects, c.reconciled, c.unreconciled,
    c.persisted_at is not null as counts, q.grade, q.score, q.reasons
from otc.capture as c
left join otc.capture_quality as q on q.capture_id = c.capture_id
where c.week_ending = %(week)s and c.normalized_key is not null

-- name: compared_rejects
-- The rejects of a week.
select tier, raw_key, line, symbol, reason, text, lines from otc.reject where week_ending = %(week)s

-- name: compared_records
-- All versions of a week's records. Numbers of names differ from schema to schema.
select
    r.tier, r.venue_type, r.symbol, r.mpid, r.firm_crd, venue.name as venue_name, issue.name as issue_name,
    r.product_type, r.opened_by, r.closed_by, r.share_volume, r.trade_count, r.notional, r.published_on, r.updated_on
from otc.volume_record as r
left join otc_internal.name as issue on issue.name_id = r.issue_name_id
left join otc_internal.name as venue on venue.name_id = r.venue_name_id
where r.week_ending = %(week)s

-- name: compared_metric
-- A week of a metric.
select {columns} from otc.{table} where week_ending = %(week)s

-- name: shadow_differences
-- How a week of a table differs: rows that only one side has, by their keys, and how often each column differs in the others;
-- from which word to which its words changed; and a few examples.
with live as (
    {live}
),
shadow as (
    {shadow}
),
removed as (select row({keys})::text as place, concat_ws(' ', {keys}) as called, to_jsonb(r) as columns
    from (select * from live except all select * from shadow) as r),
added as (select row({keys})::text as place, concat_ws(' ', {keys}) as called, to_jsonb(a) as columns
    from (select * from shadow except all select * from live) as a),
pair as materialized (
    select
        coalesce(r.called, a.called) as place, r.columns is not null as is_live, a.columns is not null as is_shadow,
        otc_internal.differences(r.columns, a.columns) as differences
    from removed as r
    full join added as a on a.place = r.place
),
difference as materialized (
    select d.key as column_name, d.value ->> 0 as before, d.value ->> 1 as after
    from pair as p
    cross join jsonb_each(p.differences) as d
)
select
    (select count(*) from pair where not is_live) as added,
    (select count(*) from pair where not is_shadow) as removed,
    (select count(*) from pair where is_live and is_shadow) as changed,
    (
        select coalesce(jsonb_object_agg(c.column_name, c.rows), '{}')
        from (select column_name, count(*) as rows from difference group by column_name) as c
    ) as columns,
    (
        select coalesce(jsonb_agg(to_jsonb(m) order by m.column_name, m.before, m.after), '[]')
        from (
            select column_name, before, after, count(*) as rows
            from difference
            where column_name in ('concentration_level', 'concentration_level_2023', 'trend', 'grade')
            group by column_name, before, after
        ) as m
    ) as moves,
    (
        select coalesce(jsonb_agg(to_jsonb(e) order by e.place), '[]')
        from (select place, is_live, is_shadow, differences from pair order by place limit 3) as e
    ) as examples;
