-- Metrics over the stored rows of several weeks are computed when these weeks have settled: until then their weeks are
-- incomplete, as those of deferred metrics are.

create or replace view otc.incomplete_week as
select week_ending, metric from otc_internal.deferred_week
union
select c.week_ending, d.metric
from otc_internal.deferred_change as d
inner join otc.capture as c
    on c.persisted_at is not null and c.week_ending between d.week_ending and d.week_ending + 7 * d.reach
union
select week_ending, metric from otc_internal.deferred_change
union
select week_ending, metric collate "C" from otc_internal.metric_due where over_stored;
