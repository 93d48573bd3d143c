-- What waits to be computed is of two kinds, which two runners do at the same time: metrics of a week's own records,
-- and metrics over the stored rows of several weeks.
alter table otc.metric_due rename column is_reached to over_stored;
comment on column otc.metric_due.over_stored is 'over the stored rows of this week and of earlier ones; else from the records';

insert into otc.metric_due (week_ending, metric, over_stored)
select week_ending, metric, true from otc.metric_due where metric in ('symbol_rolling_avg', 'venue_share')
on conflict do nothing;
delete from otc.metric_due where metric = 'symbol_rolling_avg' and not over_stored;
