-- name: revisions
-- What captures after a partition's first changed: each record's value before and after. What a source lacks is no
-- change, and what another source adds to a record is none either.
with asked as (
    select * from otc.capture_order
    where (%(week_ending)s::date is null or week_ending = %(week_ending)s) and not is_first
),
brought as (
    select r.*, c.covers, c.observed_at, c.published_on as partition_published_on, c.capture_id
    from asked as c
    inner join otc.volume_record as r
        on r.brought_by = c.capture_id and r.week_ending = c.week_ending and r.tier = c.tier
    where (r.venue_type = 'ATS' or not c.is_first_of_all) and (%(symbol)s::text is null or r.symbol = %(symbol)s)
),
ended as (
    select r.*, c.observed_at, c.published_on as partition_published_on, c.capture_id, before.covers
    from asked as c
    inner join otc.volume_record as r
        on r.ended_by = c.capture_id and r.week_ending = c.week_ending and r.tier = c.tier
    inner join otc.capture as before on before.capture_id = r.brought_by
    where %(symbol)s::text is null or r.symbol = %(symbol)s
)
select
    coalesce(b.week_ending, e.week_ending) as week_ending,
    coalesce(b.tier, e.tier) as tier,
    coalesce(b.observed_at, e.observed_at) as observed_at,
    coalesce(b.capture_id, e.capture_id) as capture_id,
    (coalesce(b.observed_at, e.observed_at) at time zone 'America/New_York')::date
    - coalesce(b.published_on, e.published_on, b.partition_published_on, e.partition_published_on) as days_late,
    case when e.week_ending is null then 'added' when b.week_ending is null then 'withdrawn' else 'changed' end as change,
    coalesce(b.symbol, e.symbol) as symbol,
    coalesce(new_name.name, old_name.name) as venue_name,
    coalesce(b.mpid, e.mpid) as mpid,
    coalesce(b.firm_crd, e.firm_crd) as firm_crd,
    e.share_volume as share_volume_before,
    b.share_volume as share_volume_after,
    e.trade_count as trade_count_before,
    b.trade_count as trade_count_after,
    e.notional as notional_before,
    b.notional as notional_after,
    e.updated_on as updated_on_before,
    b.updated_on as updated_on_after
from brought as b
full join ended as e
    on e.capture_id = b.capture_id
    and coalesce(e.symbol, '') = coalesce(b.symbol, '')
    and coalesce(e.mpid, '') = coalesce(b.mpid, '')
    and coalesce(e.firm_crd, -1) = coalesce(b.firm_crd, -1)
    and coalesce(e.issue_name_id, -1) = coalesce(b.issue_name_id, -1)
    and e.venue_type = b.venue_type
    and (coalesce(e.product_type, '') = coalesce(b.product_type, '') or e.covers <> b.covers)
left join otc.name as new_name on new_name.name_id = b.venue_name_id
left join otc.name as old_name on old_name.name_id = e.venue_name_id
where
    b.week_ending is null
    or e.week_ending is null
    or (b.share_volume, b.trade_count) <> (e.share_volume, e.trade_count)
    or b.venue_name_id is distinct from e.venue_name_id
    or b.updated_on is distinct from e.updated_on
    or (
        b.covers = 'all' and e.covers = 'all'
        and (b.notional, b.published_on) is distinct from (e.notional, e.published_on)
    )
order by 1, array_position(array['T1', 'T2', 'OTCE'], coalesce(b.tier, e.tier)), 3, 7, 8;

-- name: effect
-- How many rows of a metric a capture changed, by week, and how many of them in a word that people act on.
select week_ending, metric_name as metric, rows, words, coalesce(names, '{}') as names
from otc.effect(%(metric)s, %(moment)s, %(first)s, %(last)s, %(symbols)s)
order by week_ending;

-- name: refreshable
-- The newest answer of the API for each partition, and how many requests it took.
select distinct on (week_ending, tier) week_ending, tier, observed_at, published_on, coalesce(pages, 1) as pages
from otc.capture
where source = 'api' and week_ending >= %(first)s
order by week_ending, tier, observed_at desc;
