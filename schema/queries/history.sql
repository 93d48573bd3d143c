-- name: add_capture
-- Add a capture, once; it is withdrawn if the newest decision about its observation says so.
insert into otc.capture
(capture_id, week_ending, tier, source, covers, fetched_key, raw_key, digest, observed_at, published_on,
    record_total, pages, request_ids, added_columns, is_withdrawn)
values (
    %(capture_id)s, %(week_ending)s, %(tier)s, %(source)s, %(covers)s, %(fetched_key)s, %(raw_key)s, %(digest)s,
    %(observed_at)s, %(published_on)s, %(record_total)s, %(pages)s, %(request_ids)s, %(added_columns)s,
    coalesce((
        select d.kind = 'withdraw'
        from otc_internal.decision as d
        where d.subject = %(fetched_key)s and d.kind in ('withdraw', 'restore')
        order by d.decided_at desc, d.decision_id desc
        limit 1
    ), false)
)
on conflict (fetched_key) do nothing;

-- name: add_trading_week
-- Note the trading days of a week, once.
insert into otc.trading_week (week_ending, trading_days, half_days)
values (%(week_ending)s, %(trading_days)s, %(half_days)s)
on conflict do nothing;

-- name: trading_weeks
-- The trading days of all weeks.
select week_ending, trading_days, half_days from otc.trading_week order by week_ending;

-- name: correct_trading_week
-- Replace the trading days of a week.
update otc.trading_week set trading_days = %(trading_days)s, half_days = %(half_days)s
where week_ending = %(week_ending)s;

-- name: tiers_of_week
-- Tiers of a week whose captures count, in the order in which they are locked.
select distinct tier from otc.capture
where week_ending = %(week_ending)s and persisted_at is not null
order by tier;

-- name: capture_of
-- Number of an observation's capture.
select capture_id from otc.capture where fetched_key = %(fetched_key)s;

-- name: capture
-- A capture by its number.
select * from otc.capture where capture_id = %(capture_id)s;

-- name: same_content
-- Captures of this very content in its partition.
select capture_id, observed_at, raw_key, persisted_at is not null as is_persisted, is_withdrawn
from otc.capture
where week_ending = %(week_ending)s and tier = %(tier)s and digest = %(digest)s
order by observed_at desc;

-- name: weeks_of_content
-- Other weeks of a tier that have this very content.
select distinct week_ending
from otc.capture
where week_ending <> %(week_ending)s and tier = %(tier)s and digest = %(digest)s and not is_withdrawn
order by week_ending;

-- name: list_captures
-- All observations, with how each was graded and why one was withdrawn.
select c.*, q.grade, q.reasons, d.reason as withdrawn_because, d.decided_at as withdrawn_at
from otc.capture as c
left join otc.capture_quality as q on q.capture_id = c.capture_id
left join lateral (
    select reason, decided_at
    from otc_internal.decision
    where subject = c.fetched_key and kind = 'withdraw' and c.is_withdrawn
    order by decided_at desc, decision_id desc
    limit 1
) as d on true
where
    (%(week_ending)s::date is null or c.week_ending = %(week_ending)s)
    and (%(tier)s::text is null or c.tier = %(tier)s)
order by c.week_ending, array_position(array['T1', 'T2', 'OTCE'], c.tier), c.observed_at, c.fetched_key;

-- name: is_captured
-- Whether the API's answer about a partition was captured and counts.
select exists (
    select from otc.capture
    where week_ending = %(week_ending)s and tier = %(tier)s and source = 'api' and not is_withdrawn
) as is_captured;

-- name: newest_update
-- The newest date that the current records of a partition carry.
select max(updated_on) as updated_on
from otc_internal.volume_record
where week_ending = %(week_ending)s and tier = %(tier)s and closed_by is null;

-- name: lock_partition
-- Wait until no other transaction changes the partition's records.
select pg_advisory_xact_lock(hashtext('otc.partition ' || %(tier)s), %(week_ending)s::date - date '2000-01-01');

-- name: create_quarter
-- Create the table of the week's quarter, if it is missing.
select otc_internal.create_quarter(%(week_ending)s);

-- name: add_names
-- Add names that are not stored yet, in one order, so that no two transactions wait for each other.
insert into otc_internal.name (name)
select n from unnest(%(names)s::text[]) as n
where not exists (select from otc_internal.name as known where known.name = n)
order by n
on conflict do nothing;

-- name: names
-- All names in one row: to return 10,000 rows took longer than to look up all names.
select coalesce(array_agg(name), '{}') as names, coalesce(array_agg(name_id), '{}') as ids from otc_internal.name;

-- name: delete_opened
-- Delete the versions that some captures opened: current and closed ones have an index each.
with current as (
    delete from otc_internal.volume_record
    where week_ending = %(week_ending)s and tier = %(tier)s and closed_by is null and opened_by = any(%(captures)s)
    returning 1
),
closed as (
    delete from otc_internal.volume_record
    where
        week_ending = %(week_ending)s and tier = %(tier)s and closed_by is not null and opened_by = any(%(captures)s)
    returning 1
)
select (select count(*) from current) + (select count(*) from closed) as deleted;

-- name: reopen_closed
-- Make the versions current again that some captures closed.
update otc_internal.volume_record set closed_by = null
where week_ending = %(week_ending)s and tier = %(tier)s and closed_by = any(%(captures)s);

-- name: use_records
-- The statements from here to `copy_records` name the records without a schema, so that `verify` can run them on a copy.
set local search_path = otc_internal, pg_temp;

-- name: has_current
-- Whether the partition has current records.
select exists (
    select from volume_record
    where week_ending = %(week_ending)s and tier = %(tier)s and closed_by is null
) as has_current;

-- name: current_sums
-- Number and sums of the partition's current records.
select
    count(*) as records,
    coalesce(sum(share_volume), 0) as share_volume,
    coalesce(sum(trade_count), 0)::bigint as trade_count,
    coalesce(sum(notional), 0) as notional
from volume_record
where week_ending = %(week_ending)s and tier = %(tier)s and closed_by is null;

-- name: create_outgoing
-- Create the table for records that the previous capture has and this one has not.
create temporary table outgoing (like volume_record) on commit drop;

-- name: places_of_outgoing
-- Places of the current records that equal the outgoing ones. Each is looked up by itself, whatever the statistics say.
-- Records without a symbol are not looked up, because no index serves them: the sums reveal what is missing.
select coalesce(array_agg(found.place), '{}') as places
from outgoing as o
cross join lateral (
    select r.ctid::text as place
    from volume_record as r
    where
        r.week_ending = %(week_ending)s and r.tier = %(tier)s and r.closed_by is null
        and r.symbol = o.symbol
        and coalesce(r.mpid, '') = coalesce(o.mpid, '')
        and coalesce(r.firm_crd, -1) = coalesce(o.firm_crd, -1)
        and r.venue_type = o.venue_type
        and r.issue_name_id is not distinct from o.issue_name_id
        and r.venue_name_id is not distinct from o.venue_name_id
        and r.product_type is not distinct from o.product_type
        and r.share_volume = o.share_volume
        and r.trade_count = o.trade_count
        and r.notional is not distinct from o.notional
        and r.published_on is not distinct from o.published_on
        and r.updated_on is not distinct from o.updated_on
    offset 0
) as found;

-- name: plan_by_place
-- Read rows at their places.
select set_config('enable_indexscan', 'off', true);

-- name: close_at_places
-- Close the records at some places.
update volume_record set closed_by = %(capture_id)s
where week_ending = %(week_ending)s and tier = %(tier)s and ctid = any(%(places)s::tid[])
    and closed_by is null;

-- name: drop_outgoing
-- Drop the table of outgoing records.
drop table outgoing;

-- name: create_incoming
-- Create the table for the capture's records.
create temporary table incoming (like volume_record) on commit drop;

-- name: drop_incoming
-- Drop the table of incoming records.
drop table incoming;

-- name: drop_unchanged
-- Delete the incoming records that are current already, and close the current records that match none.
with unchanged as (
    delete from incoming as i
    using volume_record as r
    where
        r.week_ending = %(week_ending)s and r.tier = %(tier)s and r.closed_by is null
        and coalesce(i.symbol, '') = coalesce(r.symbol, '')
        and coalesce(i.mpid, '') = coalesce(r.mpid, '')
        and coalesce(i.firm_crd, -1) = coalesce(r.firm_crd, -1)
        and i.share_volume = r.share_volume
        and i.trade_count = r.trade_count
        and i.venue_type = r.venue_type
        and i.issue_name_id is not distinct from r.issue_name_id
        and i.venue_name_id is not distinct from r.venue_name_id
        and i.updated_on is not distinct from r.updated_on
        and i.product_type is not distinct from r.product_type
        and i.published_on is not distinct from r.published_on
        and i.notional is not distinct from r.notional
    returning r.tableoid, r.ctid
)
update volume_record as r set closed_by = %(capture_id)s
where
    r.week_ending = %(week_ending)s and r.tier = %(tier)s and r.closed_by is null
    and not exists (select from unchanged as u where u.tableoid = r.tableoid and u.ctid = r.ctid);

-- name: drop_unchanged_ats
-- The same for a website file. It has rows of ATSs only, without product, number, notional and first publication: those are
-- neither compared nor lost. Where the API has a symbol and venue under two products, the file cannot say which. A venue may
-- have two names in a week: rows of one name belong together, else the only two that are left.
with current as (
    select
        r.tableoid as in_table,
        r.ctid as at,
        r.*,
        count(*) over (partition by r.symbol, r.issue_name_id, r.mpid, r.venue_name_id) as products
    from volume_record as r
    where r.week_ending = %(week_ending)s and r.tier = %(tier)s and r.closed_by is null and r.venue_type = 'ATS'
),
same_name as (
    select c.in_table, c.at, i.ctid as incoming_at
    from current as c
    inner join incoming as i
        on coalesce(i.symbol, '') = coalesce(c.symbol, '')
        and coalesce(i.mpid, '') = coalesce(c.mpid, '')
        and coalesce(i.issue_name_id, -1) = coalesce(c.issue_name_id, -1)
        and coalesce(i.venue_name_id, -1) = coalesce(c.venue_name_id, -1)
),
unpaired as (
    select c.in_table, c.at, null::tid as incoming_at, c.symbol, c.mpid, c.issue_name_id
    from current as c
    where (c.in_table, c.at) not in (select s.in_table, s.at from same_name as s)
    union all
    select null, null, i.ctid, i.symbol, i.mpid, i.issue_name_id
    from incoming as i
    where i.ctid not in (select s.incoming_at from same_name as s)
),
paired as (
    select in_table, at, incoming_at from same_name
    union all
    select (array_agg(in_table) filter (where at is not null))[1], (array_agg(at) filter (where at is not null))[1],
        (array_agg(incoming_at) filter (where incoming_at is not null))[1]
    from unpaired
    group by symbol, mpid, issue_name_id
    having count(at) = 1 and count(incoming_at) = 1
),
matched as (
    select
        c.in_table,
        c.at,
        c.product_type,
        c.published_on,
        c.firm_crd,
        i.ctid as incoming_at,
        (c.products > 1 and i.ctid is not null) or (
            i.share_volume = c.share_volume
            and i.trade_count = c.trade_count
            and i.venue_name_id is not distinct from c.venue_name_id
            and i.updated_on is not distinct from c.updated_on
        ) as is_unchanged
    from current as c
    left join paired as p on p.in_table = c.in_table and p.at = c.at
    left join incoming as i on i.ctid = p.incoming_at
),
unchanged as (
    delete from incoming as i using matched as m where i.ctid = m.incoming_at and m.is_unchanged
),
inherited as (
    update incoming as i
    set product_type = m.product_type, published_on = m.published_on, firm_crd = m.firm_crd
    from matched as m where i.ctid = m.incoming_at and not m.is_unchanged
)
update volume_record as r set closed_by = %(capture_id)s
from matched as m
where
    r.week_ending = %(week_ending)s and r.tier = %(tier)s
    and r.tableoid = m.in_table and r.ctid = m.at and m.is_unchanged is not true;

-- name: add_incoming
-- Insert the incoming records.
insert into volume_record select * from incoming;

-- name: note_rows
-- Note the counts of a capture, whether or not it counts.
update otc.capture set
    normalized_key = %(normalized_key)s,
    published_on = %(published_on)s,
    rows = %(rows)s,
    records = %(records)s,
    totals = %(totals)s,
    rejects = %(rejects)s,
    reconciled = %(reconciled)s,
    unreconciled = %(unreconciled)s,
    newest_update = %(newest_update)s,
    late_records = %(late_records)s
where capture_id = %(capture_id)s;

-- name: note_late_symbols
-- Note which symbols have records that are not known since their partition is; without a list, those of all records of the
-- capture. Of the dated ones a record names its own day of publication.
update otc.capture as c set
    late_symbols = coalesce(
        %(symbols)s::text[],
        (
            select array_agg(distinct r.symbol)
            from volume_record as r
            where
                r.week_ending = c.week_ending and r.tier = c.tier and r.closed_by is null and r.opened_by = c.capture_id
                and r.symbol is not null -- such records are few, and always read
        ),
        '{}'
    ),
    dated_symbols = %(dated)s::text[]
where capture_id = %(capture_id)s;

-- name: set_applied
-- The captures of a partition whose records are in, and no others.
update otc.capture set
    persisted_at = case when capture_id = any(%(captures)s) then coalesce(persisted_at, %(now)s) end,
    late_symbols = case when capture_id = any(%(captures)s) then late_symbols end,
    dated_symbols = case when capture_id = any(%(captures)s) then dated_symbols end
where
    week_ending = %(week_ending)s and tier = %(tier)s
    and (capture_id = any(%(captures)s)) <> (persisted_at is not null);

-- name: is_loaded
-- Whether the partition counts, and the symbols of its week with rejects: metrics depend on both.
select
    coalesce((
        select covers_all from otc.loaded_partition where week_ending = %(week_ending)s and tier = %(tier)s
    )::text, 'no') as loaded,
    (
        select array_agg(s.symbol order by s.symbol)
        from otc_internal.set_aside_as_of(null, %(week_ending)s, %(week_ending)s) as s
    ) as set_aside;

-- name: drop_rejects
-- Delete the rejects of a raw object.
delete from otc.reject where raw_key = %(raw_key)s;

-- name: copy_records
-- Insert records.
copy volume_record (
    week_ending, opened_by, closed_by, share_volume, trade_count, notional, published_on, updated_on,
    issue_name_id, venue_name_id, firm_crd, tier, venue_type, symbol, product_type, mpid
) from stdin (format binary);

-- name: copy_incoming
-- Insert the capture's records.
copy incoming (
    week_ending, opened_by, closed_by, share_volume, trade_count, notional, published_on, updated_on,
    issue_name_id, venue_name_id, firm_crd, tier, venue_type, symbol, product_type, mpid
) from stdin (format binary);

-- name: copy_outgoing
-- Insert the outgoing records.
copy outgoing (
    week_ending, opened_by, closed_by, share_volume, trade_count, notional, published_on, updated_on,
    issue_name_id, venue_name_id, firm_crd, tier, venue_type, symbol, product_type, mpid
) from stdin (format binary);

-- name: copy_rejects
-- Insert rejects.
copy otc.reject (raw_key, week_ending, tier, line, reason, text, symbol, lines) from stdin (format binary);
