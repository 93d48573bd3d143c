-- name: completed_weeks
-- Loaded weeks whose date begins with a text, newest first.
select distinct week_ending as name
from otc.capture
where persisted_at is not null and starts_with(week_ending::text, %(start)s)
order by name desc
limit %(limit)s;

-- name: completed_symbols
-- Symbols with volume in the newest week of a tier that begin with a text, in any case.
with newest as (
    select tier, max(week_ending) as week_ending from otc.capture where persisted_at is not null group by tier
)
select distinct s.symbol as name
from newest as n
inner join otc.symbol_summary as s on s.week_ending = n.week_ending and s.tier = n.tier
where starts_with(upper(s.symbol), upper(%(start)s))
order by name
limit %(limit)s;

-- name: completed_venues
-- MPIDs and CRD numbers of the newest weeks' venues that begin with a text, in any case.
select distinct coalesce(mpid, firm_crd::text) as name
from otc.venue_share
where
    week_ending > (select max(s.week_ending) from otc.venue_share as s) - 42
    and starts_with(upper(coalesce(mpid, firm_crd::text)), upper(%(start)s))
order by name
limit %(limit)s;
