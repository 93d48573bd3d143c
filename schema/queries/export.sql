-- name: loaded_weeks
-- Weeks with records that count.
select distinct week_ending
from otc.loaded_partition
where week_ending between coalesce(%(first)s::date, '-infinity') and coalesce(%(last)s::date, 'infinity')
order by week_ending;

-- name: captured_weeks
-- Weeks that were captured: they may have a history although nothing of them counts now.
select distinct week_ending
from otc.capture
where
    persisted_at is not null
    and week_ending between coalesce(%(first)s::date, '-infinity') and coalesce(%(last)s::date, 'infinity')
order by week_ending;

-- name: in_order_of_tier
-- Order: of the records of one tier.
order by symbol, mpid, firm_crd, issue_name, product_type, venue_type, venue_name

-- name: publishable
-- What the history of each week of some tables follows from: null where it is not to be published, or not built yet. Without
-- weeks, of all from the first one on. The trading days are those of the week and of the weeks before that it looks back on.
select
    t.name,
    w.week_ending,
    case
        when w.week_ending < %(first)s or w.week_ending <> all(%(weeks)s::date[]) then null
        when t.name = 'venue_volume' then md5(array_to_string(otc_internal.captures_of(w.week_ending, w.week_ending), ','))
        when h.metric is null then null
        else md5(concat_ws(' ', h.is_complete, array_to_string(h.captures, ','), (
            select string_agg(concat_ws(' ', d.trading_days, d.half_days), ',' order by d.week_ending)
            from otc.trading_week as d
            where d.week_ending between w.week_ending - 7 * t.lookback and w.week_ending
        )))
    end as state
from unnest(%(tables)s::text[], %(lookbacks)s::int[]) as t (name, lookback)
cross join (select distinct week_ending from otc.capture where persisted_at is not null) as w
left join otc_internal.history_week as h on h.metric = t.name and h.week_ending = w.week_ending
order by t.name, w.week_ending;

-- name: settled_weeks
-- Captured weeks that no run of a stage before publish is to change, nor any week that they read.
select distinct c.week_ending
from otc.capture as c
where
    c.persisted_at is not null and c.week_ending between %(first)s and %(last)s
    and not exists (
        select from otc_internal.table_run as r
        where
            r.state in ('queued', 'running')
            and r.week_ending between c.week_ending - 7 * %(reach)s and c.week_ending
    )
order by c.week_ending;

-- name: unpublished
-- The newest capture of each of these weeks, except where a run that publishes it is under way or has failed.
select distinct on (c.week_ending) 'publish' as stage, c.normalized_key as key, c.capture_id as generation
from otc.capture as c
where
    c.week_ending = any(%(weeks)s::date[]) and c.persisted_at is not null and c.normalized_key is not null
    and not exists (
        select from otc.stage_run as r
        where
            r.stage = 'publish' and r.week_ending = c.week_ending and r.state in ('queued', 'running', 'failed')
    )
order by c.week_ending, c.observed_at desc, c.fetched_key desc;

-- name: try_publish
-- Lock publishing, if no other transaction publishes.
select pg_try_advisory_xact_lock(hashtext('otcpipe.publish')) as is_locked;

-- name: record_moments
-- When the newest change of each symbol of each week was known: a record that appeared, one that disappeared,
-- or an import. Left out are records that are known since their partition is, nearly all: for these `partition_moments` says it.
select week.week_ending, change.*
from unnest(%(weeks)s::date[]) as week (week_ending)
cross join lateral (
    with late as (
        select *
        from otc_internal.volume_record
        where week_ending = week.week_ending and closed_by is null and symbol is null and %(symbols)s::text[] is null
        union all
        select *
        from otc_internal.volume_record
        where
            week_ending = week.week_ending and closed_by is not null
            and (%(symbols)s::text[] is null or symbol = any(%(symbols)s::text[]))
    ),
    later as materialized ( -- their moments, which take long, are computed after that
        select
            v.tier,
            v.symbol,
            v.closed_by,
            case
                when v.is_first and v.updated_on is not distinct from v.first_published_on
                then least(v.observed_at, otc.published_at(v.first_published_on))
                else v.observed_at
            end as available_at
        from (
            select
                r.*,
                c.observed_at,
                case when r.venue_type = 'ATS' then c.is_first else c.is_first_of_all end as is_first,
                coalesce(r.published_on, c.published_on) as first_published_on
            from late as r
            inner join otc.capture_order as c
                on c.capture_id = r.opened_by and c.tier = r.tier and c.week_ending = week.week_ending
        ) as v
    )
    select
        v.tier,
        v.symbol,
        max(
            case
                when v.closed_at <= coalesce(%(at)s::timestamptz, 'infinity') then greatest(v.available_at, v.closed_at)
                else v.available_at
            end
        ) as available_at
    from (
        select
            *,
            -- looked up one by one: few are closed, and the planner would compare each record with each capture
            case when closed_by is not null then (select c.observed_at from otc.capture as c where c.capture_id = closed_by) end as closed_at
        from later
    ) as v
    where v.available_at <= coalesce(%(at)s::timestamptz, 'infinity')
    group by v.tier, v.symbol
    union all -- what a late symbol's records say of the newest capture is known. Others are looked up one by one: the planner
    -- cannot know how few of a week's are concerned
    select l.tier, l.symbol, l.available_at
    from (
        select
            c.tier,
            c.symbol,
            case
                when c.observed_at <= coalesce(%(at)s::timestamptz, 'infinity') and (c.is_newest and not c.is_dated or exists (
                    select from otc_internal.volume_record as r
                    where
                        r.week_ending = week.week_ending and r.tier = c.tier and r.symbol = c.symbol
                        and r.opened_by = c.capture_id and r.closed_by is null
                        and (
                            r.updated_on is distinct from coalesce(r.published_on, c.published_on)
                            or not case when r.venue_type = 'ATS' then c.is_first else c.is_first_of_all end
                        )
                )) then c.observed_at
                else (
                    select max(least(c.observed_at, otc.published_at(coalesce(r.published_on, c.published_on))))
                    from otc_internal.volume_record as r
                    where
                        r.week_ending = week.week_ending and r.tier = c.tier and r.symbol = c.symbol
                        and r.opened_by = c.capture_id and r.closed_by is null
                        and r.updated_on is not distinct from coalesce(r.published_on, c.published_on)
                        and case when r.venue_type = 'ATS' then c.is_first else c.is_first_of_all end
                )
            end as available_at
        from (
            select o.*, late.*
            from (
                select
                    *,
                    (is_first = is_first_of_all or covers = 'ats')
                    and count(*) over (
                        partition by tier order by observed_at range between current row and unbounded following
                    ) = 1 as is_newest
                from otc.capture_order
                where week_ending = week.week_ending
            ) as o
            inner join otc.capture as n on n.capture_id = o.capture_id
            cross join lateral (
                select name.symbol, bool_or(name.is_dated or n.dated_symbols is null) as is_dated
                from (
                    select unnest(n.late_symbols) as symbol, false as is_dated
                    union all
                    select unnest(n.dated_symbols), true
                ) as name
                group by name.symbol
            ) as late
        ) as c
        where %(symbols)s::text[] is null or c.symbol = any(%(symbols)s::text[])
    ) as l
    where l.available_at <= coalesce(%(at)s::timestamptz, 'infinity')
    union all -- whose rows were set aside, or no longer: on that depends whether a symbol without records is known to be untraded
    select r.tier, r.symbol, max(r.at)
    from (
        select
            o.tier,
            s.symbol,
            case when o.is_first or o.is_first_of_all then least(o.observed_at, o.published_at) else o.observed_at end as at,
            f.is_set_aside is distinct from lag(f.is_set_aside) over by_partition
            or f.is_set_aside <> lag(f.is_set_aside, 1, f.is_set_aside) over by_coverage as is_change
        from otc.capture_order as o
        inner join (
            select distinct tier, symbol
            from otc.reject
            where
                week_ending = week.week_ending and symbol is not null
                and (%(symbols)s::text[] is null or symbol = any(%(symbols)s::text[]))
        ) as s on s.tier = o.tier
        inner join otc.capture as c on c.capture_id = o.capture_id
        cross join lateral (
            select exists (
                select from otc.reject
                where week_ending = week.week_ending and tier = o.tier and symbol = s.symbol and raw_key = o.raw_key
            ) as is_set_aside
        ) as f
        where o.week_ending = week.week_ending
        window
            by_partition as (partition by o.tier, s.symbol order by o.observed_at, c.fetched_key),
            by_coverage as (partition by o.tier, s.symbol, o.covers order by o.observed_at, c.fetched_key)
    ) as r
    where r.is_change and r.at <= coalesce(%(at)s::timestamptz, 'infinity')
    group by r.tier, r.symbol
    union all
    select null, m.symbol, max(m.at)
    from otc_internal.import_moments(week.week_ending, week.week_ending, %(dataset)s) as m
    where
        m.symbol is not null and m.at <= coalesce(%(at)s::timestamptz, 'infinity')
        and (%(symbols)s::text[] is null or m.symbol = any(%(symbols)s::text[]))
    group by m.symbol
) as change;

-- name: partition_moments
-- When the partitions of some weeks were first known, and first with both venue types; and when what has no symbol was imported.
select tier, max(available_at) as available_at
from (
    select tier, least(observed_at, otc.published_at(published_on)) as available_at
    from otc.capture_order
    where (is_first or is_first_of_all) and week_ending between %(first)s::date and %(week_ending)s::date
    union all
    select null, m.at
    from otc_internal.import_moments(%(first)s::date, %(week_ending)s::date, %(dataset)s) as m
    where m.symbol is null
) as known
where available_at <= coalesce(%(at)s::timestamptz, 'infinity')
group by tier;

-- name: some_rows
-- After an order: some of the rows.
limit %(limit)s offset %(offset)s
