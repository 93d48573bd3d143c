-- Metrics that look back over many weeks are computed when these have settled, not at each change of one. A change is a
-- row of its own, so that captures of different weeks never wait for each other; from it follows which weeks are incomplete.

create table otc_internal.deferred_change (
    change_id bigint generated always as identity primary key,
    week_ending date not null,
    metric text collate "C" not null,
    reach int not null -- how many following weeks the change affects
);

create table otc_internal.deferred_week (
    week_ending date not null,
    metric text collate "C" not null,
    primary key (week_ending, metric)
);

create view otc.incomplete_week as
select week_ending, metric from otc_internal.deferred_week
union
select c.week_ending, d.metric
from otc_internal.deferred_change as d
inner join otc.capture as c
    on c.persisted_at is not null and c.week_ending between d.week_ending and d.week_ending + 7 * d.reach
union
select week_ending, metric from otc_internal.deferred_change;

-- A database of an earlier release lacks these metrics in all its weeks.
insert into otc_internal.deferred_week (week_ending, metric)
select distinct week_ending, 'symbol_unusual' from otc.capture where persisted_at is not null;
