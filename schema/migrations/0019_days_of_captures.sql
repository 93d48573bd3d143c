-- Times in New York are computed for each capture: for each record they took a tenth of the time that a week takes to read.
create or replace view otc.capture_order as
select
    capture_id,
    week_ending,
    tier,
    covers,
    observed_at,
    published_on,
    raw_key,
    row_number() over by_partition = 1 as is_first, -- of any ATS row
    covers = 'all' and row_number() over (partition by week_ending, tier, covers order by observed_at, fetched_key) = 1
    as is_first_of_all, -- of any other row
    (observed_at at time zone 'America/New_York')::date as observed_on,
    otc.published_at(published_on) as published_at
from otc.capture
where persisted_at is not null
window by_partition as (partition by week_ending, tier order by observed_at, fetched_key);

create or replace view otc.version as
select
    v.week_ending,
    v.opened_by,
    v.closed_by,
    v.share_volume,
    v.trade_count,
    v.notional,
    v.published_on,
    v.updated_on,
    v.issue_name_id,
    v.venue_name_id,
    v.firm_crd,
    v.tier,
    v.venue_type,
    v.symbol,
    v.product_type,
    v.mpid,
    v.observed_at,
    v.raw_key,
    v.covers,
    v.is_first,
    v.first_published_on,
    v.closed_at,
    otc_internal.certainty(v.is_first, v.first_published_on, v.updated_on, v.observed_on) as certainty,
    case
        when not v.is_first then v.observed_at
        when v.updated_on is distinct from v.first_published_on then v.observed_at
        else least(v.observed_at, v.first_published_at)
    end as available_at,
    case when v.is_first then least(v.observed_at, v.first_published_at) else v.observed_at end as known_from,
    v.opened_by as brought_by, -- this and the next two are former names
    v.closed_by as ended_by,
    v.closed_at as ended_at
from (
    select
        r.*,
        c.observed_at,
        c.observed_on,
        c.raw_key,
        c.covers,
        case when r.venue_type = 'ATS' then c.is_first else c.is_first_of_all end as is_first,
        coalesce(r.published_on, c.published_on) as first_published_on,
        case when r.published_on <> c.published_on then otc.published_at(r.published_on) else c.published_at end
        as first_published_at,
        e.observed_at as closed_at
    from otc_internal.volume_record as r
    inner join otc.capture_order as c
        on c.capture_id = r.opened_by and c.week_ending = r.week_ending and c.tier = r.tier
    left join otc.capture as e on e.capture_id = r.closed_by
) as v;
