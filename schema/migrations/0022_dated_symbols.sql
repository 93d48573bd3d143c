-- Late symbols of the newest capture are known since it was observed, and need not be looked up, but for those with a record
-- that names its own day of publication.
alter table otc.capture add column dated_symbols text[];

update otc.capture as c
set dated_symbols = coalesce(
    (
        -- each condition has an index of its own
        select
            array_agg(s.symbol order by s.symbol) filter (where exists (
                select from otc_internal.volume_record as r
                where
                    r.week_ending = c.week_ending and r.tier = c.tier and r.symbol = s.symbol and r.opened_by = c.capture_id
                    and r.published_on <> c.published_on and r.closed_by is null
            ) or exists (
                select from otc_internal.volume_record as r
                where
                    r.week_ending = c.week_ending and r.tier = c.tier and r.symbol = s.symbol and r.opened_by = c.capture_id
                    and r.published_on <> c.published_on and r.closed_by is not null
            ))
        from unnest(c.late_symbols) as s (symbol)
        where o.is_first
    ),
    '{}'
)
from otc.capture_order as o
where o.capture_id = c.capture_id and c.late_symbols is not null;
