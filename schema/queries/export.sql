-- name: loaded_weeks
-- Weeks with records that count.
select distinct week_ending
from otc.loaded_partition
where week_ending between coalesce(%(first)s::date, '-infinity') and coalesce(%(last)s::date, 'infinity')
order by week_ending;

-- name: captured_weeks
-- Weeks that were captured: they may have a history although nothing of them counts now.
select distinct week_ending
from otc.capture
where
    persisted_at is not null
    and week_ending between coalesce(%(first)s::date, '-infinity') and coalesce(%(last)s::date, 'infinity')
order by week_ending;

-- name: in_order_of_records
-- Order: of records.
order by tier, symbol, mpid, firm_crd, issue_name, product_type, venue_type, venue_name

-- name: publishable
-- What the history of each week of some tables follows from: null where it is not to be published, or not built yet.
select
    t.name,
    w.week_ending,
    case
        when w.week_ending < %(first)s then null
        when t.name = 'venue_volume' then md5(array_to_string(otc_internal.captures_of(w.week_ending, w.week_ending), ','))
        when h.metric is null then null
        else md5(concat_ws(' ', h.is_complete, array_to_string(h.captures, ',')))
    end as state
from unnest(%(tables)s::text[]) as t (name)
cross join (select distinct week_ending from otc.capture where persisted_at is not null) as w
left join otc_internal.history_week as h on h.metric = t.name and h.week_ending = w.week_ending
order by t.name, w.week_ending;

-- name: try_publish
-- Lock publishing, if no other transaction publishes.
select pg_try_advisory_xact_lock(hashtext('otcpipe.publish')) as is_locked;

-- name: record_moments
-- When the newest change of each symbol of a week was known: a record that appeared, or one that disappeared.
select
    tier,
    symbol,
    max(case when closed_at <= coalesce(%(at)s::timestamptz, 'infinity') then greatest(available_at, closed_at) else available_at end)
        as available_at
from otc.version
where
    week_ending = %(week_ending)s
    and available_at <= coalesce(%(at)s::timestamptz, 'infinity')
    and (%(symbols)s::text[] is null or symbol = any(%(symbols)s::text[]))
group by tier, symbol;

-- name: partition_moments
-- When the partitions of some weeks were first known, and first with both venue types; and when volumes were imported.
select tier, max(available_at) as available_at
from (
    select tier, least(observed_at, otc.published_at(published_on)) as available_at
    from otc.capture_order
    where (is_first or is_first_of_all) and week_ending between %(first)s::date and %(week_ending)s::date
    union all
    select null, m.at
    from otc_internal.import_moments(%(first)s::date, %(week_ending)s::date, %(dataset)s) as m
) as known
where available_at <= coalesce(%(at)s::timestamptz, 'infinity')
group by tier;

-- name: some_rows
-- After an order: some of the rows.
limit %(limit)s offset %(offset)s
