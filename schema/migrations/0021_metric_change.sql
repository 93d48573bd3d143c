-- When the rows of a metric's week last changed: what a later stage made of an older state is made again.
create table otc_internal.metric_change (
    week_ending date not null,
    metric text collate "C" not null,
    changed_at timestamptz not null, -- by the clock, when the change was about to be committed
    primary key (week_ending, metric)
);
