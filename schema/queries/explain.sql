-- name: by_symbol
-- Those of the metrics that have a symbol column.
select m as metric
from unnest(%(metrics)s::text[]) as m
inner join pg_attribute as a on a.attrelid = format('otc.%%I', m)::regclass
where a.attname = 'symbol' and not a.attisdropped;

-- name: metrics_of
-- A symbol's rows of metrics, as JSON; without a moment as stored.
select metric, stored::text as stored
from otc_internal.metrics_of(%(metrics)s::text[], %(symbol)s, %(first)s, %(last)s, %(at)s);

-- name: records_of
-- A symbol's records that were current at a moment, each with the capture that opened it.
select
    r.week_ending,
    r.tier,
    r.venue_type,
    issue.name as issue_name,
    r.product_type,
    r.mpid,
    r.firm_crd,
    venue.name as venue_name,
    r.share_volume,
    r.trade_count,
    c.capture_id,
    c.source,
    c.observed_at,
    c.raw_key,
    c.digest,
    c.request_ids
from otc.version_as_of(%(at)s, true) as r
inner join otc.capture as c on c.capture_id = r.opened_by
left join otc_internal.name as issue on issue.name_id = r.issue_name_id
left join otc_internal.name as venue on venue.name_id = r.venue_name_id
where r.symbol = %(symbol)s and r.week_ending between %(first)s and %(last)s
order by r.week_ending, array_position(array['T1', 'T2', 'OTCE'], r.tier), c.capture_id, r.venue_type, r.share_volume desc;
