-- Metrics over several weeks compare shares as they were after a split, and show its factor. All weeks are computed again.

alter table if exists otc.symbol_rolling_avg
add split_factor numeric(38, 12),
drop computed_at, -- the last column of every metric
add computed_at timestamptz not null default now();

insert into otc_internal.metric_due (week_ending, metric, over_stored)
select c.week_ending, m.metric, true
from (select distinct week_ending from otc.capture where persisted_at is not null) as c
cross join (values ('symbol_split'), ('symbol_rolling_avg')) as m (metric)
on conflict do nothing;

insert into otc_internal.deferred_week (week_ending, metric)
select distinct week_ending, 'concentration_change' from otc.capture where persisted_at is not null
on conflict do nothing;
