-- The history of metrics: which weeks have one, and since when their current rows were known. Former rows of a metric
-- are in a table of its own, `otc_internal.<metric>_history`, which schema/functions/6_history.sql creates.

create table otc_internal.history_week (
    metric text collate "C" not null,
    week_ending date not null,
    captures text[] not null, -- what the history follows from: captures of the weeks read that changed something
    last_moment timestamptz not null, -- its newest change of knowledge
    -- The metric leaves held partitions out, which answers as of a moment do not: then its table does not hold the newest
    -- rows of the history, and they are among the former rows.
    is_complete boolean not null,
    primary key (metric, week_ending)
);
comment on column otc_internal.history_week.is_complete is 'the history table holds the newest rows too';

create table otc_internal.history_opening (
    metric text collate "C" not null,
    week_ending date not null,
    known_from timestamptz not null,
    opened_by bigint not null, -- capture
    keys text[] -- of the metric's rows that are known since then; null: of all rows without an entry
);
create index history_opening_week on otc_internal.history_opening (metric, week_ending);

-- Sums by venue of a week at the moments at which they changed: a history of venues reads those of several weeks.
create table otc_internal.venue_sum_history (
    week_ending date not null,
    known_from timestamptz not null,
    captures text[] not null, -- what they follow from
    sums otc_internal.venue_sum[] not null,
    primary key (week_ending, known_from)
);

-- The history of the records: all versions with names, looked up one by one, because few rows are expected of a week of
-- `otc.version` and a join would compare each with all names. Until `available_at`, a version may have had another value.
create view otc.venue_volume_history as
select
    v.week_ending,
    v.tier,
    v.venue_type,
    v.symbol,
    (select n.name from otc_internal.name as n where n.name_id = v.issue_name_id) as issue_name,
    v.product_type,
    v.mpid,
    v.firm_crd,
    (select n.name from otc_internal.name as n where n.name_id = v.venue_name_id) as venue_name,
    v.share_volume,
    v.trade_count,
    v.notional,
    v.published_on,
    v.updated_on,
    round(v.share_volume / nullif(v.trade_count, 0), 6)::numeric(20, 6) as avg_trade_size, -- shares a trade
    v.observed_at,
    v.raw_key,
    v.available_at,
    v.known_from,
    v.closed_at as known_until,
    v.certainty,
    v.opened_by,
    v.closed_by
from otc.version as v;
