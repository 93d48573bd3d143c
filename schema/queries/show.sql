-- name: symbol_newest
-- The newest week, up to one if it is given, in which a symbol has records: one week after the other from the newest on, which
-- ends at the first that has some, however long the history is.
select w.week_ending
from (
    select distinct week_ending from otc.capture
    where %(last)s::date is null or week_ending <= %(last)s
    order by week_ending desc
) as w
cross join lateral (
    select from otc_internal.volume_record as r
    where r.week_ending = w.week_ending and r.symbol = %(symbol)s and r.closed_by is null
    limit 1
) as found
order by w.week_ending desc
limit 1;

-- name: symbol_newest_as_of
-- The same as known at a moment.
select w.week_ending
from (
    select distinct week_ending from otc.capture
    where %(last)s::date is null or week_ending <= %(last)s
    order by week_ending desc
) as w
cross join lateral (
    select from otc.version_as_of(%(at)s, true) as v
    where v.week_ending = w.week_ending and v.symbol = %(symbol)s
    limit 1
) as found
order by w.week_ending desc
limit 1;

-- name: symbols_among
-- Those of the symbols that have records, found partition by partition: no index begins with the symbol.
select s.symbol
from unnest(%(symbols)s::text[]) as s (symbol)
where exists (
    select from (select distinct week_ending, tier from otc.capture) as p
    cross join lateral (
        select from otc.volume_record as r
        where r.week_ending = p.week_ending and r.tier = p.tier and r.symbol = s.symbol collate "C"
        limit 1
    ) as found
)
order by s.symbol collate "C";

-- name: symbol_history
-- A symbol's weeks by scope, all tiers together, newest first; without a moment from stored rows.
with week as (
    select d::date as week_ending from generate_series(%(first)s::date, %(last)s::date, '7 days') as d
),
dated as (
    select r.week_ending, coalesce(r.published_on, c.published_on) as first_published_on, r.updated_on
    from otc_internal.volume_record as r
    inner join otc.capture as c on c.capture_id = r.opened_by
    where
        %(at)s::timestamptz is null
        and r.symbol = %(symbol)s and r.week_ending between %(first)s and %(last)s and r.closed_by is null
    union all
    select week_ending, first_published_on, updated_on from otc.version_as_of(%(at)s, true)
    where %(at)s::timestamptz is not null and symbol = %(symbol)s and week_ending between %(first)s and %(last)s
),
record as materialized ( -- as others here: the planner expects one row, and would compute it for each
    select
        week_ending,
        max(first_published_on) as published_on,
        max(updated_on) filter (where updated_on > first_published_on) as updated_on
    from dated
    group by week_ending
),
summary as (
    select s.*
    from week as w
    cross join (values ('T1'), ('T2'), ('OTCE')) as t (tier)
    inner join otc.symbol_summary as s
        on s.week_ending = w.week_ending and s.tier = t.tier and s.symbol = %(symbol)s
    where %(at)s::timestamptz is null
    union all
    select * from otc.symbol_summary_as_of(%(at)s, %(first)s, %(last)s)
    where symbol = %(symbol)s and %(at)s::timestamptz is not null
),
covered as materialized ( -- how many tiers of the symbol have records, and how many of these cover all venues
    select
        week_ending,
        count(distinct tier) as tiers,
        string_agg(distinct tier, ', ') as names,
        count(*) filter (where scope = 'ALL') as tiers_of_all,
        sum(total_volume) filter (where scope = 'ATS') as ats_volume,
        sum(total_volume) filter (where scope = 'ALL') as all_volume
    from summary
    group by week_ending
),
summed as (
    select
        week_ending,
        scope,
        round(sum(total_volume), 6) as volume,
        sum(total_trades)::bigint as trades,
        round(sum(volume_per_day), 6) as volume_per_day
    from summary
    group by week_ending, scope
),
rolling as materialized (
    select r.* from week as w
    inner join otc.symbol_rolling_avg as r on r.week_ending = w.week_ending and r.symbol = %(symbol)s
    where %(at)s::timestamptz is null
    union all
    select * from otc.symbol_rolling_avg_as_of(%(at)s, %(first)s, %(last)s)
    where symbol = %(symbol)s and %(at)s::timestamptz is not null
),
concentration as materialized (
    select c.* from week as w
    inner join otc.symbol_concentration as c on c.week_ending = w.week_ending and c.symbol = %(symbol)s
    where %(at)s::timestamptz is null
    union all
    select * from otc.symbol_concentration_as_of(%(at)s, %(first)s, %(last)s)
    where symbol = %(symbol)s and %(at)s::timestamptz is not null
),
price as materialized (
    select p.* from week as w
    inner join otc.average_print_price as p on p.week_ending = w.week_ending and p.symbol = %(symbol)s
    where %(at)s::timestamptz is null
    union all
    select * from otc.average_print_price_as_of(%(at)s, %(first)s, %(last)s)
    where symbol = %(symbol)s and %(at)s::timestamptz is not null
)
select
    s.week_ending,
    s.scope,
    s.volume,
    s.trades,
    s.volume_per_day,
    otc_internal.ats_fraction(k.tiers, k.tiers_of_all, k.ats_volume, k.all_volume) as ats_fraction,
    p.average_price,
    r.avg_6w_volume,
    r.volume_vs_avg_pct,
    r.trend,
    r.weeks_in_window,
    c.venue_count,
    c.hhi,
    c.hhi_upper,
    c.effective_venues,
    c.top_venue_share_pct,
    c.top3_share_pct,
    c.de_minimis_share_pct,
    c.concentration_level,
    c.concentration_level_2023,
    k.names as tiers,
    n.published_on,
    n.updated_on
from summed as s
inner join covered as k on k.week_ending = s.week_ending
inner join record as n on n.week_ending = s.week_ending
left join rolling as r on r.week_ending = s.week_ending and r.scope = s.scope
left join concentration as c on c.week_ending = s.week_ending and c.scope = s.scope
left join price as p on p.week_ending = s.week_ending and p.scope = s.scope
where otc_internal.is_scope_known(s.scope, k.tiers = k.tiers_of_all)
order by s.week_ending desc, array_position(array['ATS', 'NON_ATS', 'ALL'], s.scope);

-- name: symbol_venues
-- Who traded a symbol in a week, all tiers, products and issue names together. The unnamed firms are one row, no venue.
with record as (
    select
        v.*,
        n.name,
        (v.mpid is null and (v.venue_type = 'ATS' or (v.firm_crd is null and v.venue_name_id is null)))
        or coalesce(v.firm_crd = 0, false)
        or coalesce(n.name = 'De Minimis Firms', false) as is_unnamed
    from otc.version_as_of(%(at)s, true) as v
    left join otc_internal.name as n on n.name_id = v.venue_name_id
    where
        v.symbol = %(symbol)s and v.week_ending = %(week_ending)s
        and (%(scope)s = 'ALL' or v.venue_type = %(scope)s)
)
select
    week_ending,
    venue_type,
    not is_unnamed as is_named,
    mpid,
    nullif(firm_crd, 0) as firm_crd,
    max(name) as venue_name,
    sum(share_volume) as volume,
    round(100 * sum(share_volume) / nullif(sum(sum(share_volume)) over (), 0), 2) as share_pct,
    sum(trade_count)::bigint as trades,
    round(sum(share_volume) / nullif(sum(trade_count), 0), 6) as avg_trade_size,
    max(first_published_on) as published_on,
    max(updated_on) filter (where updated_on > first_published_on) as updated_on
from record
group by
    week_ending, venue_type, mpid, nullif(firm_crd, 0), is_unnamed,
    case when mpid is null and firm_crd is null and not is_unnamed then name end
order by volume desc, venue_name;

-- name: symbol_issue
-- The name of a symbol's issue in a week, of several that of most volume.
select n.name as issue_name
from otc.version_as_of(%(at)s, true) as v
inner join otc_internal.name as n on n.name_id = v.issue_name_id
where v.symbol = %(symbol)s and v.week_ending = %(week_ending)s
group by n.name
order by sum(v.share_volume) desc, n.name
limit 1;

-- name: symbol_unknown
-- Number of records that were restated between their publication and the first capture, in these weeks and in the year before
-- them, which comparisons read: their value at that moment is lost, and no metric includes it. And how many of these weeks count from
-- their publication, as they were captured later and never updated in between.
select
    count(*) filter (where v.week_ending >= %(first)s and v.available_at > %(at)s) as records,
    count(*) filter (where v.week_ending < %(first)s and v.available_at > %(at)s) as records_before,
    count(*) filter (where v.week_ending >= %(first)s and v.available_at <= %(at)s and v.observed_at > %(at)s) as inferred
from otc.venue_volume_as_of(%(at)s) as v
where v.symbol = %(symbol)s and v.week_ending between %(first)s::date - 364 and %(last)s;

-- name: symbol_vintages
-- A symbol's weeks in a scope with each interval of time in which all of the values were the known ones, oldest first.
with week as (
    select d::date as week_ending from generate_series(%(first)s::date, %(last)s::date, '7 days') as d
),
summary as materialized (
    select s.* from week as w
    cross join lateral (
        select * from otc.symbol_summary_history where week_ending = w.week_ending and symbol = %(symbol)s offset 0
    ) as s
),
rolling as materialized (
    select r.* from week as w
    cross join lateral (
        select * from otc.symbol_rolling_avg_history
        where week_ending = w.week_ending and symbol = %(symbol)s and scope = %(scope)s
        offset 0
    ) as r
),
concentration as materialized (
    select c.* from week as w
    cross join lateral (
        select * from otc.symbol_concentration_history
        where week_ending = w.week_ending and symbol = %(symbol)s and scope = %(scope)s
        offset 0
    ) as c
),
known as (
    select week_ending, known_from, known_until from summary
    union all
    select week_ending, known_from, known_until from rolling
    union all
    select week_ending, known_from, known_until from concentration
),
moment as (
    select week_ending, known_from as at from known
    union
    select week_ending, known_until from known where known_until is not null
),
span as (
    select week_ending, at as known_from, lead(at) over (partition by week_ending order by at) as known_until from moment
)
select
    p.week_ending,
    %(scope)s as scope,
    p.known_from,
    p.known_until,
    s.volume,
    s.trades,
    r.avg_6w_volume,
    r.volume_vs_avg_pct,
    r.trend,
    r.weeks_in_window,
    c.venue_count,
    c.hhi,
    c.hhi_upper,
    c.concentration_level
from span as p
left join lateral ( -- of all tiers that were known, if all of them cover the scope
    select
        round(sum(total_volume) filter (where scope = %(scope)s), 6) as volume,
        (sum(total_trades) filter (where scope = %(scope)s))::bigint as trades
    from summary
    where
        week_ending = p.week_ending
        and known_from <= p.known_from and coalesce(known_until, 'infinity') > p.known_from
    having otc_internal.is_scope_known(%(scope)s, count(distinct tier) = count(*) filter (where scope = 'ALL'))
) as s on true
left join rolling as r
    on r.week_ending = p.week_ending
    and r.known_from <= p.known_from and coalesce(r.known_until, 'infinity') > p.known_from
left join concentration as c
    on c.week_ending = p.week_ending
    and c.known_from <= p.known_from and coalesce(c.known_until, 'infinity') > p.known_from
where s.volume is not null
order by p.week_ending, p.known_from;

-- name: symbol_off_exchange
-- A symbol's weeks against all trading, where consolidated volume is imported, newest first; without a moment as stored.
with share as (
    select o.*
    from generate_series(%(first)s::date, %(last)s::date, '7 days') as week
    inner join otc.off_exchange_share as o on o.week_ending = week::date and o.symbol = %(symbol)s
    where %(at)s::timestamptz is null
    union all
    select * from otc.off_exchange_share_as_of(%(at)s, %(first)s, %(last)s)
    where symbol = %(symbol)s and %(at)s::timestamptz is not null
)
select
    week_ending,
    source,
    consolidated_volume,
    off_exchange_volume,
    off_exchange_share_pct,
    ats_share_pct,
    is_above_100,
    jump_factor
from share
order by week_ending desc, source;

-- name: symbol_signals
-- A symbol's weeks of a scope against its own past, and why its concentration changed, newest first; without a moment as stored.
with week as (
    select d::date as week_ending from generate_series(%(first)s::date, %(last)s::date, '7 days') as d
),
unusual as (
    select u.* from week as w
    inner join otc.symbol_unusual as u on u.week_ending = w.week_ending and u.symbol = %(symbol)s and u.scope = %(scope)s
    where %(at)s::timestamptz is null
    union all
    select * from otc.symbol_unusual_as_of(%(at)s, %(first)s, %(last)s)
    where symbol = %(symbol)s and scope = %(scope)s and %(at)s::timestamptz is not null
),
change as (
    select c.* from week as w
    inner join otc.concentration_change as c on c.week_ending = w.week_ending and c.symbol = %(symbol)s and c.scope = %(scope)s
    where %(at)s::timestamptz is null
    union all
    select * from otc.concentration_change_as_of(%(at)s, %(first)s, %(last)s)
    where symbol = %(symbol)s and scope = %(scope)s and %(at)s::timestamptz is not null
)
select
    week_ending,
    u.volume_per_day,
    u.median_13w,
    u.ratio_13w,
    u.robust_z_13w,
    u.percentile_13w,
    u.streak,
    u.weeks_13w,
    u.ratio_52w,
    u.robust_z_52w,
    u.split_factor,
    c.hhi_change,
    c.from_entry,
    c.from_exit,
    c.from_reallocation,
    c.entries,
    c.exits
from unusual as u
full join change as c using (week_ending)
order by week_ending desc;

-- name: symbol_splits
-- A symbol's splits, given and inferred, newest first; without a moment as stored.
with split as (
    select * from otc.symbol_split
    where symbol = %(symbol)s and week_ending between %(first)s and %(last)s and %(at)s::timestamptz is null
    union all
    select * from otc.symbol_split_as_of(%(at)s, %(first)s, %(last)s)
    where symbol = %(symbol)s and %(at)s::timestamptz is not null
)
select week_ending, ratio, mixed_ratio, source, ex_date, price_before, price_after
from split
order by week_ending desc;
