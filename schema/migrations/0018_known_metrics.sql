-- The metrics that the weeks have: one that a release or a user adds is due in all weeks that were loaded before.
create table otc_internal.known_metric (metric text collate "C" primary key);

insert into otc_internal.known_metric (metric)
select c.relname
from pg_class as c
inner join pg_attribute as a on a.attrelid = c.oid and a.attname = 'computed_at' and not a.attisdropped
where c.relnamespace = 'otc'::regnamespace and c.relkind = 'r';
