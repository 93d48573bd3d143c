-- Names in the field's terms, and a schema of its own for what only otcpipe uses. Former names of what analysts query are
-- kept as views.
drop view otc.version cascade;

-- All functions are created again afterwards, but for those that views and triggers are built on.
do $$
declare
    old regprocedure;
begin
    for old in
        select p.oid from pg_proc as p
        where
            p.pronamespace = 'otc'::regnamespace
            and p.proname not in ('is_partition', 'published_at', 'certainty', 'forbid_overlap')
    loop
        execute format('drop function %s', old);
    end loop;
end
$$;
alter function otc.forbid_overlap() set schema otc_internal;

alter type otc.counting_record set schema otc_internal;
alter type otc.week_symbol set schema otc_internal;
alter type otc.counted set schema otc_internal;
alter type otc.traded set schema otc_internal;
alter type otc_internal.traded rename attribute is_whole to is_all_tiers;

alter table otc.name set schema otc_internal;
alter table otc.metric_due set schema otc_internal;
alter table otc.decision set schema otc_internal;
alter table otc.schedule_fire set schema otc_internal;
alter table otc_internal.schedule_fire rename column told to outcome;
alter table otc.symbol_sum set schema otc_internal;
alter table otc_internal.symbol_sum rename column is_whole to is_all_tiers;
alter table otc.venue_sum set schema otc_internal;
comment on table otc_internal.symbol_sum is null;
comment on table otc_internal.venue_sum is null;

alter table otc.volume_record rename column brought_by to opened_by;
alter table otc.volume_record rename column ended_by to closed_by;
alter index otc.volume_record_ended rename to volume_record_closed;
do $$
declare
    part regclass;
begin
    for part in select inhrelid from pg_inherits where inhparent = 'otc.volume_record'::regclass loop
        execute format('alter table %s set schema otc_internal', part);
    end loop;
end
$$;
alter table otc.volume_record set schema otc_internal;

-- The versions of records for analysts. brought_by and ended_by are the former names of opened_by and closed_by.
create view otc.volume_record as
select
    week_ending,
    opened_by as brought_by,
    closed_by as ended_by,
    share_volume,
    trade_count,
    notional,
    published_on,
    updated_on,
    issue_name_id,
    venue_name_id,
    firm_crd,
    tier,
    venue_type,
    symbol,
    product_type,
    mpid,
    opened_by,
    closed_by
from otc_internal.volume_record;

alter view otc.acceptance rename to quality_override;

-- The former name of otc.quality_override.
create view otc.acceptance as
select week_ending, tier, digest, reason, grade, score, accepted_at from otc.quality_override;

-- All versions of all records, and the time from which and until which each was known. A restated row of the first
-- capture is `known_from` its publication, but its value is `available_at` its observation.
create view otc.version as
select
    v.*,
    otc.certainty(v.is_first, v.first_published_on, v.updated_on, v.observed_at) as certainty,
    case
        when not v.is_first then v.observed_at
        when v.updated_on is distinct from v.first_published_on then v.observed_at
        else least(v.observed_at, otc.published_at(v.first_published_on))
    end as available_at,
    case when v.is_first then least(v.observed_at, otc.published_at(v.first_published_on)) else v.observed_at end
    as known_from,
    v.opened_by as brought_by, -- this and the next two are former names
    v.closed_by as ended_by,
    v.closed_at as ended_at
from (
    select
        r.*,
        c.observed_at,
        c.raw_key,
        c.covers,
        case when r.venue_type = 'ATS' then c.is_first else c.is_first_of_all end as is_first,
        coalesce(r.published_on, c.published_on) as first_published_on,
        e.observed_at as closed_at
    from otc_internal.volume_record as r
    inner join otc.capture_order as c
        on c.capture_id = r.opened_by and c.week_ending = r.week_ending and c.tier = r.tier
    left join otc.capture as e on e.capture_id = r.closed_by
) as v;
