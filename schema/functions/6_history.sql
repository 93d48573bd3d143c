-- The history of metrics: each row with the time from which and until which it was the known one. A row of the present is
-- in the metric's own table, and `otc_internal.history_opening` says since when it is known; former rows are in
-- `otc_internal.<metric>_history`. A week without an entry in `otc_internal.history_week` has no history yet.

-- The columns of a table or type without computed_at, as a definition.
create or replace function otc_internal.row_definition(shape text) returns text language sql stable as $$
select string_agg(
    quote_ident(a.attname) || ' ' || format_type(a.atttypid, a.atttypmod)
    || case when a.attcollation = '"C"'::regcollation then ' collate "C"' else '' end, ', ' order by a.attnum
)
from pg_attribute as a
where a.attrelid = to_regclass(shape) and a.attnum > 0 and not a.attisdropped and a.attname <> 'computed_at'
$$;

-- A metric's columns without computed_at: their names, the same of a row m, their definition; and the text that identifies
-- a row m within its week, and the columns that do.
create or replace function otc_internal.metric_columns(
    metric text, out columns text, out of_row text, out definition text, out row_key text, out keys text[]
) language sql stable as $$
select
    string_agg(quote_ident(a.attname), ', ' order by a.attnum),
    string_agg('m.' || quote_ident(a.attname), ', ' order by a.attnum),
    otc_internal.row_definition(format('otc.%I', metric)),
    'row('
    || coalesce(string_agg('m.' || quote_ident(a.attname), ', ' order by a.attnum) filter (where k.is_key and a.attname <> 'week_ending'), '')
    || ')::text',
    coalesce(array_agg(a.attname::text) filter (where k.is_key), '{}')
from pg_attribute as a
cross join lateral (
    select exists (
        select from pg_index as i
        where i.indrelid = a.attrelid and i.indisunique and a.attnum = any (i.indkey::int2[])
    ) as is_key
) as k
where a.attrelid = format('otc.%I', metric)::regclass and a.attnum > 0 and not a.attisdropped and a.attname <> 'computed_at'
$$;

-- Since when a value is known: seen by its capture, or on the day of its publication; else taken from what came later.
create or replace function otc_internal.certainty_since(known_from timestamptz, observed_at timestamptz)
returns text language sql immutable parallel safe as $$
select case
    when known_from >= observed_at then 'observed'
    when (observed_at at time zone 'America/New_York')::date <= (known_from at time zone 'America/New_York')::date then 'observed'
    else 'inferred'
end
$$;

-- The captures and imports by which values become known.
create or replace view otc_internal.observation as
select capture_id, observed_at from otc.capture
union all
select import_id, observed_at from otc.volume_import;

-- The imported dataset that a metric reads; null for most.
create or replace function otc_internal.dataset_of(metric text) returns text language sql stable as $$
select d.dataset
from unnest(array['market_volume', 'consolidated_volume', 'stock_split']) as d (dataset)
where strpos(pg_get_functiondef(format('otc.%I', metric || '_as_of')::regproc), 'otc.' || d.dataset || '_as_of(') > 0
$$;

-- What changed an imported dataset of some weeks: a row for each moment, week and import, and symbol where it has one.
create or replace function otc_internal.import_moments(first_week date, last_week date, dataset text)
returns table (at timestamptz, week_ending date, import_id bigint, symbol text) language sql stable as $$
select distinct i.observed_at, otc_internal.week_of(v.day), i.import_id, v.symbol
from (
    select day, null as symbol, opened_by, closed_by from otc_internal.market_volume where dataset = 'market_volume'
    union all
    select day, symbol, opened_by, closed_by from otc_internal.consolidated_volume where dataset = 'consolidated_volume'
) as v
inner join otc.volume_import as i on i.import_id in (v.opened_by, v.closed_by)
where v.day between first_week - 4 and last_week + 2
union
select m.at, v.week_ending, m.import_id, v.symbol
from otc_internal.stock_split as v
left join otc.volume_import as c on c.import_id = v.closed_by
cross join lateral (values (v.known_from, v.opened_by), (c.observed_at, c.import_id)) as m (at, import_id)
where import_moments.dataset = 'stock_split' and v.week_ending between first_week and last_week and m.at is not null
$$;

-- Let the planner assume that each week of a metric has some hundredth of its rows. From statistics it would take a week
-- that is newer than they are for empty, and compare each of its rows with each key of a history.
create or replace function otc_internal.forget_common_weeks(metric text) returns void language plpgsql as $$
begin
    if exists (
        select from pg_attribute as a
        where a.attrelid = format('otc.%I', metric)::regclass and a.attname = 'week_ending' and a.attstattarget is distinct from 0
    ) then
        execute format('alter table otc.%I alter column week_ending set statistics 0', metric);
        if to_regproc('pg_clear_attribute_stats') is not null then -- of PostgreSQL 18
            perform pg_clear_attribute_stats('otc', metric, 'week_ending', false);
        end if;
    end if;
end
$$;

-- Create a metric's table of former rows and the view of its history; both again if the metric's columns changed. The table
-- holds all rows of one interval in one array, which compresses to a fifth.
create or replace function otc_internal.create_history(metric text) returns void language plpgsql as $$
declare
    row_type text := format('otc_internal.%I', metric || '_row');
    shape record;
begin
    select * into shape from otc_internal.metric_columns(metric);
    perform otc_internal.forget_common_weeks(metric);
    if to_regtype(row_type) is not null and shape.definition <> otc_internal.row_definition(row_type) then
        execute format(
            'drop view otc.%1$I; drop table otc_internal.%1$I; drop type %2$s', metric || '_history', row_type
        );
        delete from otc_internal.history_week as w where w.metric = create_history.metric;
    end if;
    if to_regtype(row_type) is null then
        execute format('create type %s as (%s)', row_type, shape.definition);
        execute format(
            'create table otc_internal.%I (
                week_ending date not null, known_from timestamptz not null, known_until timestamptz,
                opened_by bigint not null, closed_by bigint, rows %s[] not null
            )', metric || '_history', row_type
        );
        execute format('create index on otc_internal.%I (week_ending)', metric || '_history');
    end if;
    execute format(
        'create or replace view otc.%1$I as
        select %3$s, coalesce(own.known_from, rest.known_from) as known_from, null::timestamptz as known_until,
            otc_internal.certainty_since(coalesce(own.known_from, rest.known_from), c.observed_at) as certainty,
            c.capture_id as opened_by, null::bigint as closed_by
        from otc.%2$I as m
        inner join otc_internal.history_week as w on w.metric = %2$L and w.week_ending = m.week_ending and not w.is_complete
        left join otc_internal.history_opening as rest
            on rest.metric = %2$L and rest.week_ending = m.week_ending and rest.keys is null
        left join (
            select week_ending, known_from, opened_by, unnest(keys) as key
            from otc_internal.history_opening where metric = %2$L and keys is not null
        ) as own on own.week_ending = m.week_ending and own.key = %4$s
        inner join otc_internal.observation as c on c.capture_id = coalesce(own.opened_by, rest.opened_by)
        union all
        select h.week_ending, %5$s, h.known_from, h.known_until,
            otc_internal.certainty_since(h.known_from, c.observed_at), h.opened_by, h.closed_by
        from otc_internal.%1$I as h
        inner join otc_internal.history_week as w on w.metric = %2$L and w.week_ending = h.week_ending
        inner join otc_internal.observation as c on c.capture_id = h.opened_by
        cross join lateral unnest(h.rows) as m',
        metric || '_history', metric, shape.of_row, shape.row_key, replace(shape.of_row, 'm.week_ending, ', '')
    );
end
$$;

-- Create the functions that build a metric's history from histories: `<metric>_known` is the metric at a moment by its own
-- history, of which `read_histories` made a table, and of the symbols that are `wanted`; `<metric>_over_history` is its
-- definition, which reads other metrics at a moment so. Both are much quicker than the records of many weeks.
create or replace function otc_internal.create_functions(metric text, metrics text[]) returns void language plpgsql as $$
declare
    shape record;
    definition text := pg_get_functiondef(format('otc.%I', metric || '_as_of')::regproc);
    other text;
begin
    select * into shape from otc_internal.metric_columns(metric);
    execute format(
        'create or replace function otc_internal.%1$I(at timestamptz, first_week date, last_week date)
        returns setof otc.%2$I language plpgsql stable as $body$
        declare
            wanted text[] := (select symbols from pg_temp.wanted);
        begin
            if wanted is null then
                return query select %3$s from pg_temp.%1$I as m
                where m.week_ending between first_week and last_week
                    and m.known_from <= at and (m.known_until > at or m.known_until is null);
            else
                return query select %3$s from pg_temp.%1$I as m
                where %4$s m.week_ending between first_week and last_week
                    and m.known_from <= at and (m.known_until > at or m.known_until is null);
            end if;
        end $body$', metric || '_known', metric, (
            select string_agg(case when a.attname = 'computed_at' then 'now()' else 'm.' || quote_ident(a.attname) end, ', ' order by a.attnum)
            from pg_attribute as a
            where a.attrelid = format('otc.%I', metric)::regclass and a.attnum > 0 and not a.attisdropped
        ), case when 'symbol' = any (shape.keys) then 'm.symbol = any (wanted) and' end
    );
    definition := replace(definition, format('otc.%I(', metric || '_as_of'), format('otc_internal.%I(', metric || '_over_history'));
    foreach other in array metrics loop
        definition := replace(definition, format('otc.%I(', other || '_as_of'), format('otc_internal.%I(', other || '_known'));
    end loop;
    definition := replace(
        definition, 'otc_internal.compared_venues_as_of(at, w.week_ending)',
        'otc_internal.venues_known(at, w.week_ending, w.week_ending, null, null)'
    );
    execute replace(definition, 'otc_internal.venues_as_of(', 'otc_internal.venues_known(');
end
$$;

-- Make a temporary table `<metric>_known` of the histories of some weeks, which the function of that name reads.
create or replace function otc_internal.read_histories(metrics text[], first_week date, last_week date) returns void
language plpgsql as $$
declare
    metric text;
    shape record;
begin
    foreach metric in array metrics loop
        select * into shape from otc_internal.metric_columns(metric);
        execute format(
            'create temporary table %1$I on commit drop as
            select h.*
            from generate_series(%3$L::date, %4$L, interval ''7 days'') as w (week)
            cross join lateral (select * from otc.%2$I where week_ending = w.week::date offset 0) as h',
            metric || '_known', metric || '_history', first_week, last_week
        ); -- week by week: a range would not bound what the view joins
        if 'symbol' = any (shape.keys) then
            execute format('create index on pg_temp.%I (symbol)', metric || '_known');
        end if;
        execute format('analyze pg_temp.%I', metric || '_known');
    end loop;
end
$$;

-- The sums by venue of a week as of a moment, as `venues_as_of` returns them, from those that `keep_venue_sums` keeps.
create or replace function otc_internal.venues_known(
    at timestamptz, first_week date, last_week date, multi_record text[], one_tier text
) returns setof otc_internal.venue_sum language sql stable as $$
select (unnest(s.sums)).*
from (
    select distinct on (k.week_ending) k.sums
    from otc_internal.venue_sum_history as k
    where k.week_ending between first_week and last_week and k.known_from <= at
    order by k.week_ending, k.known_from desc
) as s
$$;

-- Keep the sums by venue of a week at each moment at which they changed, unless they are kept already.
create or replace function otc_internal.keep_venue_sums(week date) returns void language plpgsql as $$
declare
    now_captures text[] := otc_internal.captures_of(week, week);
    moment timestamptz;
begin
    if exists (select from otc_internal.venue_sum_history as k where k.week_ending = week and k.captures = now_captures) then
        return;
    end if;
    delete from otc_internal.venue_sum_history as k where k.week_ending = week;
    for moment in select distinct m.at from otc_internal.moments(week, week) as m order by m.at loop
        insert into otc_internal.venue_sum_history (week_ending, known_from, captures, sums)
        select week, moment, now_captures, coalesce(array_agg(v), '{}')
        from otc_internal.venues_as_of(moment, week, week, null, null) as v;
    end loop;
end
$$;

-- What changed the state of knowledge about some weeks, from the first moment of the last of them on: a row for each moment,
-- capture and symbol; `is_partition` where all symbols may have changed, because a partition or a venue type of it was known
-- for the first time.
create or replace function otc_internal.moments(first_week date, last_week date)
returns table (at timestamptz, week_ending date, tier text, capture_id bigint, symbol text, is_partition boolean)
language sql stable set enable_nestloop to on set enable_mergejoin to off as $$
with ordered as materialized (
    select
        o.*,
        c.late_symbols,
        min(least(o.observed_at, o.published_at)) filter (where o.week_ending = last_week) over () as since
    from otc.capture_order as o
    inner join otc.capture as c on c.capture_id = o.capture_id
    where o.week_ending between first_week and last_week
),
late as ( -- few records, each found by its symbol: others are known since their partition is
    select r.*
    from ordered as o
    cross join lateral unnest(o.late_symbols) as s (symbol)
    inner join otc_internal.volume_record as r
        on r.week_ending = o.week_ending and r.tier = o.tier and r.symbol = s.symbol and r.opened_by = o.capture_id
    where r.week_ending between first_week and last_week and r.closed_by is null
    union all -- without a symbol
    select r.*
    from ordered as o
    inner join otc_internal.volume_record as r
        on r.week_ending = o.week_ending and r.tier = o.tier and r.opened_by = o.capture_id
    where r.week_ending between first_week and last_week and r.closed_by is null and r.symbol is null
    union all
    select r.*
    from otc_internal.volume_record as r
    where r.week_ending between first_week and last_week and r.closed_by is not null
),
version as (
    select r.symbol, r.week_ending, r.tier, r.opened_by, r.closed_by, coalesce(r.published_on, o.published_on) as published_on,
        r.updated_on, o.observed_at, o.published_on as partition_published_on, o.since,
        case when r.venue_type = 'ATS' then o.is_first else o.is_first_of_all end as is_first
    from late as r
    inner join ordered as o on o.capture_id = r.opened_by and o.week_ending = r.week_ending and o.tier = r.tier
)
select least(observed_at, published_at), week_ending, tier, capture_id, null, true
from ordered
where (is_first or is_first_of_all) and least(observed_at, published_at) >= since
union all
select observed_at, week_ending, tier, opened_by, symbol, false
from version
where not is_first or updated_on is distinct from published_on
union all -- a date of its own
select least(observed_at, otc.published_at(published_on)), week_ending, tier, opened_by, symbol, false
from version
where
    is_first and updated_on is not distinct from published_on and published_on <> partition_published_on
    and otc.published_at(published_on) >= since
union all
select o.observed_at, v.week_ending, v.tier, v.closed_by, v.symbol, false
from version as v
inner join ordered as o on o.capture_id = v.closed_by
union all -- whose rows were set aside by this capture or another: on that depends whether their absence is zero
select o.observed_at, o.week_ending, o.tier, o.capture_id, r.symbol, false
from ordered as o
inner join otc.reject as r on r.week_ending = o.week_ending and r.tier = o.tier
where r.symbol is not null
$$;

-- The captures of some weeks that changed something, with what they hold, in the order of observation.
create or replace function otc_internal.captures_of(first_week date, last_week date) returns text[] language sql stable as $$
select coalesce(array_agg(c.capture_id || ' ' || c.normalized_key order by c.observed_at, c.fetched_key), '{}')
from (
    select *, lag(normalized_key) over (partition by week_ending, tier order by observed_at, fetched_key) as key_before
    from otc.capture
    where persisted_at is not null and week_ending between first_week and last_week
) as c
where c.normalized_key is distinct from c.key_before
$$;

-- The captures and imports that a metric's rows of a week follow from.
create or replace function otc_internal.follows_from(metric text, first_week date, last_week date) returns text[]
language sql stable as $$
select otc_internal.captures_of(first_week, last_week) || array(
    select i.import_id || ' ' || i.key
    from otc.volume_import as i
    where
        i.dataset = otc_internal.dataset_of(metric)
        and case
            when i.dataset = 'stock_split' then exists (
                select from otc_internal.stock_split as v
                where v.week_ending between first_week and last_week and i.import_id in (v.opened_by, v.closed_by)
            )
            else i.first_day <= last_week + 2 and i.last_day >= first_week - 4
        end
    order by i.observed_at, i.key
)
$$;

-- Fill the temporary table `bringer`: which capture changed the rows of a symbol and tier at a moment, where several did.
-- Only what identifies the metric's rows is distinguished.
create or replace function otc_internal.find_bringers(moment timestamptz, week date, keys text[]) returns void
language plpgsql as $$
begin
    insert into bringer (symbol, tier, capture_id)
select distinct on (1, 2)
    case when 'symbol' = any (keys) then coalesce(c.symbol, '') else '' end,
    case when 'tier' = any (keys) then c.tier else '' end,
    c.capture_id
from (
    select m.symbol, m.tier, m.capture_id, m.week_ending from moment as m where m.at = moment
    union all
    select r.symbol, r.tier, r.opened_by, r.week_ending
    from otc.volume_record as r
    where
        'symbol' = any (keys) and r.week_ending = week
        and r.opened_by in (select m.capture_id from moment as m where m.at = moment and m.is_partition)
) as c
order by 1, 2, c.week_ending desc, array_position(array['T1', 'T2', 'OTCE'], c.tier), c.capture_id;
end
$$;

-- Build a week of a metric's history from the records: its rows at each moment at which something became known, and which
-- of them changed. The definition is the metric's function as of a moment. `lookback` is the number of weeks that it reads
-- before its own, `reads` are the other metrics that it reads: where they have a history of these weeks, it is read instead of
-- the records. A row with a symbol depends on the records of that symbol only.
create or replace function otc_internal.build_history(metric text, week date, lookback int, reads text[])
returns void language plpgsql as $$
declare
    shape record;
    is_by_symbol boolean;
    function_name text := format('otc.%I', metric || '_as_of');
    differing text;
    bringers text;
    is_complete boolean;
    histories text[] := '{}';
    each record;
begin
    select * into shape from otc_internal.metric_columns(metric);
    is_by_symbol := 'symbol' = any (shape.keys);
    perform otc_internal.forget_history(metric, week);
    if not exists (
        select from otc.capture as c
        cross join unnest(reads) as r (metric)
        where
            c.persisted_at is not null and c.week_ending between week - 7 * lookback and week
            and not exists (
                select from otc_internal.history_week as w where w.metric = r.metric and w.week_ending = c.week_ending
            )
    ) then
        function_name := format('otc_internal.%I', metric || '_over_history');
        if pg_get_functiondef(function_name::regproc) like '%venues_known(%' then
            perform otc_internal.keep_venue_sums(w::date) from generate_series(week - 7 * lookback, week, interval '7 days') as w;
        end if;
        perform otc_internal.read_histories(reads, week - 7 * lookback, week);
        histories := reads;
    end if;
    create temporary table wanted on commit drop as select null::text[] as symbols;
    create temporary table moment on commit drop as select * from otc_internal.moments(week - 7 * lookback, week);
    insert into moment (at, week_ending, capture_id, symbol, is_partition)
    select m.at, m.week_ending, m.import_id, m.symbol, false
    from otc_internal.import_moments(week - 7 * lookback, week, otc_internal.dataset_of(metric)) as m;
    create temporary table bringer (symbol text collate "C", tier text collate "C", capture_id bigint) on commit drop;
    execute format(
        'create temporary table evaluated on commit drop as select %1$s as key, %2$s from otc.%3$I as m limit 0',
        shape.row_key, shape.of_row, metric
    );
    create temporary table opened on commit drop as
    select *, null::timestamptz as known_from, null::bigint as opened_by from evaluated limit 0;
    create temporary table closed on commit drop as
    select *, null::timestamptz as known_until, null::bigint as closed_by from opened limit 0;
    differing := format(
        'select key from (select key, %1$s from opened %2$s except select key, %1$s from evaluated) as d',
        shape.columns, case when is_by_symbol then 'where $2 is null or symbol = any ($2)' else 'where $2 is null' end
    );
    bringers := format(
        'left join bringer as b on b.symbol = %s and b.tier = %s',
        case when is_by_symbol then 'm.symbol' else quote_literal('') end,
        case when 'tier' = any (shape.keys) then 'm.tier' else quote_literal('') end
    );
    for each in
        select
            m.at,
            case when is_by_symbol and not bool_or(m.is_partition) then array_remove(array_agg(distinct m.symbol), null) end as symbols,
            count(distinct m.capture_id) as captures,
            (array_agg(m.capture_id order by m.week_ending desc, array_position(array['T1', 'T2', 'OTCE'], m.tier), m.capture_id))[1]
            as capture_id
        from moment as m
        where m.at >= (select min(f.at) from moment as f where f.week_ending = week and f.is_partition)
        group by m.at
        order by m.at
    loop
        continue when each.symbols = '{}';
        truncate evaluated, bringer;
        update wanted set symbols = each.symbols;
        if each.captures > 1 then
            perform otc_internal.find_bringers(each.at, week, shape.keys);
        end if;
        execute format(
            'insert into evaluated (key, %2$s) select %1$s, %3$s from %4$s($1, $2, $2) as m %5$s',
            shape.row_key, shape.columns, shape.of_row, function_name,
            case when each.symbols is not null then 'where m.symbol = any ($3)' end
        ) using each.at, week, each.symbols;
        execute format(
            'with gone as (delete from opened as o using (%1$s) as d where o.key = d.key returning o.*)
            insert into closed select m.*, $1, coalesce(b.capture_id, $3) from gone as m %2$s', differing, bringers
        ) using each.at, each.symbols, each.capture_id;
        execute format(
            'insert into opened (key, %1$s, known_from, opened_by)
            select m.key, %2$s, $1, coalesce(b.capture_id, $2) from evaluated as m %3$s
            where not exists (select from opened as o where o.key = m.key)', shape.columns, shape.of_row, bringers
        ) using each.at, each.capture_id;
    end loop;
    execute format(
        'select exists (select %1$s from opened except select %1$s from otc.%2$I where week_ending = $1)
        or exists (select %1$s from otc.%2$I where week_ending = $1 except select %1$s from opened)', shape.columns, metric
    ) into is_complete using week;
    if is_complete then
        insert into closed select o.*, null, null from opened as o;
    else
        insert into otc_internal.history_opening (metric, week_ending, known_from, opened_by, keys)
        select build_history.metric, week, g.known_from, g.opened_by, case when g.place > 1 then g.keys end
        from (
            select o.known_from, o.opened_by, array_agg(o.key order by o.key) as keys,
                row_number() over (order by count(*) desc, o.known_from, o.opened_by) as place
            from opened as o group by o.known_from, o.opened_by
        ) as g;
    end if;
    execute format(
        'insert into otc_internal.%1$I (week_ending, known_from, known_until, opened_by, closed_by, rows)
        select $1, m.known_from, m.known_until, m.opened_by, m.closed_by, array_agg(row(%2$s)::otc_internal.%3$I order by m.key)
        from closed as m group by m.known_from, m.known_until, m.opened_by, m.closed_by',
        metric || '_history', shape.of_row, metric || '_row'
    ) using week;
    insert into otc_internal.history_week (metric, week_ending, captures, last_moment, is_complete)
    select build_history.metric, week, otc_internal.follows_from(build_history.metric, week - 7 * lookback, week), coalesce(max(m.at), '-infinity'), is_complete
    from moment as m;
    drop table moment, bringer, evaluated, opened, closed, wanted;
    for each in select h || '_known' as name from unnest(histories) as h loop
        execute format('drop table pg_temp.%I', each.name);
    end loop;
end
$$;

-- Forget a week of a metric's history.
create or replace function otc_internal.forget_history(metric text, week date) returns void language plpgsql as $$
begin
    execute format('delete from otc_internal.%I where week_ending = $1', metric || '_history') using week;
    delete from otc_internal.history_opening as o where o.metric = forget_history.metric and o.week_ending = week;
    delete from otc_internal.history_week as w where w.metric = forget_history.metric and w.week_ending = week;
end
$$;

-- The capture by which a week's history can be continued: the only new one of the weeks that it reads, observed after all
-- that the history follows from, and not the first of its partition. Null where the history must be built again.
create or replace function otc_internal.next_capture(metric text, week date, lookback int) returns otc.capture
language sql stable as $$
with added as (
    select split_part(a.capture, ' ', 1)::bigint as capture_id, w.last_moment
    from otc_internal.history_week as w
    cross join lateral (select otc_internal.follows_from(next_capture.metric, week - 7 * lookback, week) as captures) as now
    cross join lateral (select c as capture from unnest(now.captures) as c where c <> all (w.captures)) as a
    where
        w.metric = next_capture.metric and w.week_ending = week and not w.is_complete and w.captures <@ now.captures
        and cardinality(now.captures) = cardinality(w.captures) + 1
)
select c.*
from added as a
inner join otc.capture as c on c.capture_id = a.capture_id
inner join otc.capture_order as o on o.capture_id = a.capture_id
where
    c.observed_at > a.last_moment and not o.is_first and not o.is_first_of_all
    and not exists (
        select from otc.held_partition as h where h.week_ending between week - 7 * lookback and week
    )
$$;

-- Continue a week's history after a metric's rows were stored: those of the temporary table `stale` were known until the
-- capture, those with the `new_keys` are known since. Without such a capture the history is to be built again.
create or replace function otc_internal.continue_history(metric text, week date, lookback int, new_keys text[]) returns void
language plpgsql as $$
declare
    shape record;
    since otc.capture;
begin
    since := otc_internal.next_capture(metric, week, lookback);
    if since.capture_id is null then
        delete from otc_internal.history_week as w
        where
            w.metric = continue_history.metric and w.week_ending = week
            and (
                w.is_complete or new_keys <> '{}' or exists (select from stale)
                or w.captures <> otc_internal.follows_from(continue_history.metric, week - 7 * lookback, week)
            );
        return;
    end if;
    select * into shape from otc_internal.metric_columns(metric);
    execute format(
        'insert into otc_internal.%1$I (week_ending, known_from, known_until, opened_by, closed_by, rows)
        select
            $4, coalesce(own.known_from, rest.known_from), $1, coalesce(own.opened_by, rest.opened_by), $2,
            array_agg(row(%2$s)::otc_internal.%3$I order by %4$s)
        from stale as m
        left join otc_internal.history_opening as rest on rest.metric = $3 and rest.week_ending = $4 and rest.keys is null
        left join (
            select known_from, opened_by, unnest(keys) as key from otc_internal.history_opening
            where metric = $3 and week_ending = $4 and keys is not null
        ) as own on own.key = %4$s
        group by 2, 4',
        metric || '_history', shape.of_row, metric || '_row', shape.row_key
    ) using since.observed_at, since.capture_id, metric, week;
    execute format(
        'update otc_internal.history_opening as o
        set keys = array(select k.key from unnest(o.keys) as k (key) where k.key not in (select %s from stale as m))
        where o.metric = $1 and o.week_ending = $2 and o.keys is not null', shape.row_key
    ) using metric, week;
    insert into otc_internal.history_opening (metric, week_ending, known_from, opened_by, keys)
    select
        continue_history.metric, week, since.observed_at, since.capture_id,
        case when exists (
            select from otc_internal.history_opening as o
            where o.metric = continue_history.metric and o.week_ending = week and o.keys is null
        ) then new_keys end
    where new_keys <> '{}';
    update otc_internal.history_week as w
    set last_moment = since.observed_at, captures = otc_internal.follows_from(continue_history.metric, week - 7 * lookback, week)
    where w.metric = continue_history.metric and w.week_ending = week;
end
$$;
