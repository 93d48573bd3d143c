-- Of most captures, few symbols have records that are not known since their partition is. Only these are read to say since when
-- a row of a metric is known. `otcpipe.stages.replay` notes the same of new captures.
-- First, since its lock keeps captures from being applied meanwhile: they would be missing below.
alter table otc.capture add column late_symbols text[]; -- null for a capture whose records do not count

create temporary table place on commit drop as
select capture_id, is_first, is_first_of_all, published_on from otc.capture_order;
analyze place;

create temporary table late on commit drop as
select r.opened_by, array_agg(distinct r.symbol) as symbols
from otc_internal.volume_record as r
inner join place as p on p.capture_id = r.opened_by
where
    r.symbol is not null
    and (
        not case when r.venue_type = 'ATS' then p.is_first else p.is_first_of_all end
        or r.published_on <> p.published_on
        or r.updated_on is distinct from p.published_on
    )
group by r.opened_by;

update otc.capture as c set late_symbols = coalesce(l.symbols, '{}')
from place as p
left join late as l on l.opened_by = p.capture_id
where c.capture_id = p.capture_id;
