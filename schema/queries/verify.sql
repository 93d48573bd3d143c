-- name: verifiable
-- Partitions whose captures are stored, or were.
select week_ending, tier
from (
    select c.week_ending, c.tier from otc.capture as c
    union
    select r.week_ending, r.tier from otc.stage_run as r where r.stage = 'persist' and r.state = 'done'
) as places
where %(week)s::date is null or week_ending = %(week)s
order by week_ending, array_position(array['T1', 'T2', 'OTCE'], tier);

-- name: captures
-- A partition's captures in the order of observation.
select *
from otc.capture
where week_ending = %(week_ending)s and tier = %(tier)s
order by observed_at, fetched_key;

-- name: lost_captures
-- Captures that the ledger says are persisted, and that are missing.
select distinct r.generation as capture_id, r.key
from otc.stage_run as r
where
    r.week_ending = %(week_ending)s and r.tier = %(tier)s and r.stage = 'persist' and r.state = 'done'
    and not exists (select from otc.capture as c where c.capture_id = r.generation)
order by capture_id;

-- name: stored_rejects
-- Rejects of a partition.
select raw_key, line, reason, text
from otc.reject
where week_ending = %(week_ending)s and tier = %(tier)s
order by raw_key, line;

-- name: create_stand_in
-- Create an empty copy of the records, which statements use that name the records without a schema.
create temporary table volume_record (like otc_internal.volume_record) on commit drop;

-- name: use_stand_in
-- Let statements without a schema use the copy of the records.
set local search_path = pg_temp, otc_internal;

-- name: count_stand_in
-- Number of records and versions in the copy.
select count(*) filter (where closed_by is null) as records, count(*) as revisions from volume_record;

-- name: differing_records
-- A few versions that only the table or only the copy holds, and how they differ.
with stored as (
    select * from otc_internal.volume_record
    where week_ending = %(week_ending)s and tier = %(tier)s and closed_by is null
    union all -- by another index
    select * from otc_internal.volume_record
    where week_ending = %(week_ending)s and tier = %(tier)s and closed_by is not null
),
missing as (select * from volume_record except all select * from stored),
extra as (select * from stored except all select * from volume_record)
select
    coalesce(m.symbol, e.symbol) as symbol,
    coalesce(m.mpid, e.mpid, m.firm_crd::text, e.firm_crd::text, v.name) as venue,
    coalesce(m.opened_by, e.opened_by) as capture_id,
    e.tier is not null as is_stored,
    m.tier is not null as is_computed,
    otc_internal.differences(to_jsonb(e), to_jsonb(m)) as differences,
    count(*) over () as differing
from missing as m
full join extra as e
    on coalesce(e.symbol, '') = coalesce(m.symbol, '')
    and coalesce(e.mpid, '') = coalesce(m.mpid, '')
    and coalesce(e.firm_crd, -1) = coalesce(m.firm_crd, -1)
    and coalesce(e.issue_name_id, -1) = coalesce(m.issue_name_id, -1)
    and coalesce(e.product_type, '') = coalesce(m.product_type, '')
    and coalesce(e.venue_name_id, -1) = coalesce(m.venue_name_id, -1)
    and e.venue_type = m.venue_type
    and e.opened_by = m.opened_by
left join otc_internal.name as v on v.name_id = coalesce(m.venue_name_id, e.venue_name_id)
order by symbol, venue, capture_id, is_stored
limit 5;

-- name: differing_metric
-- A few rows of a metric that differ from what the records give.
select * from otc_internal.differing_metric(%(metric)s, %(week)s);

-- name: due_metrics
-- Metrics of a week that are due.
select distinct metric from otc_internal.metric_due where week_ending = %(week)s;
