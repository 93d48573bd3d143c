-- Whether a run is on its way to change records. One that failed three times, or was queued hours ago, is not waited for.
create or replace function otc_internal.is_awaited(run otc.stage_run) returns boolean language sql stable parallel safe as $$
select
    run.state in ('queued', 'running') and run.stage in ('fetch', 'cache', 'parse', 'normalize', 'persist')
    and run.attempts <= 3 and greatest(run.queued_at, run.started_at) > now() - interval '6 hours'
$$;

-- Which of some metrics can be computed over stored rows, by week: no run is to change the records of the week, and of the
-- `reaches` weeks before it, nothing of these is due, nor is a metric of the weeks before it that is read (`reads`, by comma).
create or replace function otc_internal.settled_metrics(
    first_week date, last_week date, metrics text[], reaches int[], reads text[]
) returns table (week_ending date, metric text, reach int) language sql stable as $$
with unsettled as materialized (
    select r.week_ending
    from otc.stage_run as r
    where
        r.week_ending between first_week - 7 * (select max(m) from unnest(reaches) as m) and last_week
        and otc_internal.is_awaited(r)
    union
    select d.week_ending from otc_internal.metric_due as d where not d.over_stored and d.week_ending <= last_week
)
select week.ending, m.metric, m.reach
from (select first_week + 7 * number as ending from generate_series(0, (last_week - first_week) / 7) as number) as week
cross join unnest(metrics, reaches, reads) as m (metric, reach, reads)
where
    not exists (select from unsettled as u where u.week_ending between week.ending - 7 * m.reach and week.ending)
    and not exists (
        select from otc_internal.metric_due as d
        where
            d.over_stored and d.metric = any(string_to_array(m.reads, ','))
            and d.week_ending between week.ending - 7 * m.reach and week.ending - 7
    )
$$;

-- Store a week of a metric, as its own function returns it from the week's sums; returns the number of rows that changed.
-- A row with the same values stays untouched, so that its computed_at changes only with a value. `lookback` is the number of
-- weeks that the metric reads before its own.
drop function if exists otc_internal.store_metric(text, date);
create or replace function otc_internal.store_metric(name text, week date, lookback int) returns bigint language plpgsql as $$
declare
    metric regclass := format('otc.%I', name);
    columns text;
    row_key text;
    same_key text;
    is_stored boolean;
    changed bigint;
    new_keys text[];
begin
    select c.columns, c.row_key into columns, row_key from otc_internal.metric_columns(name) as c;

    select string_agg(format(
        case when a.attnotnull then 'm.%1$I = s.%1$I' else 'm.%1$I is not distinct from s.%1$I' end, a.attname
    ), ' and ') into same_key
    from pg_index as i
    inner join pg_attribute as a on a.attrelid = i.indrelid and a.attnum = any (i.indkey::int2[])
    where i.indrelid = metric and i.indisunique;

    execute format('select exists (select from %s where week_ending = $1)', metric) into is_stored using week;
    if not is_stored and not exists ( -- with a history, a week without rows is known to have none
        select from otc_internal.history_week as w where w.metric = name and w.week_ending = week
    ) then
        execute format('insert into %1$s (%2$s) select %2$s from otc.%3$I(null, $1, $1)', metric, columns, name || '_as_of')
        using week;
        get diagnostics changed = row_count;
        if (select reltuples from pg_class where oid = metric) < 0 then -- its first week: the next metric reads it at once
            execute format('analyze %s', metric);
        end if;
        return changed;
    end if;

    execute format('create temporary table computed on commit drop as select %s from otc.%I(null, $1, $1)', columns, name || '_as_of')
    using week;
    execute format(
        'create temporary table stale on commit drop as
        select %1$s from %2$s where week_ending = $1 except select %1$s from computed', columns, metric
    ) using week;
    execute format('delete from %1$s as m using stale as s where m.week_ending = $1 and %2$s', metric, same_key) using week;
    execute format( -- quicker than `on conflict`: the week's lock keeps other writers away
        'with added as (
            insert into %2$s as m (%1$s) select %1$s from computed as s
            where not exists (select from %2$s as m where m.week_ending = $1 and %3$s)
            returning %4$s as key
        )
        select coalesce(array_agg(key), array[]::text[]) from added', columns, metric, same_key, row_key
    ) into new_keys using week;
    perform otc_internal.continue_history(name, week, lookback, new_keys);
    drop table computed, stale;
    return cardinality(new_keys);
end
$$;

-- Removed: their temporary tables cannot be made on a replica.
drop function if exists otc_internal.ask_metric(text, timestamptz, date, date, text[]);
drop function if exists otc_internal.take_metric(text, timestamptz, date);

-- The values that differ between two versions of a row, as text: column: [of the first, of the second].
create or replace function otc_internal.differences(one jsonb, other jsonb) returns jsonb language sql immutable parallel safe as $$
select jsonb_object_agg(a.key, jsonb_build_array(a.value, b.value))
from jsonb_each_text(one) as a
inner join jsonb_each_text(other) as b on b.key = a.key
where a.value is distinct from b.value
$$;

-- A few of the stored rows of a metric's week that its own function does not return from the week's sums, or the reverse.
create or replace function otc_internal.differing_metric(name text, week date)
returns table (place text, is_stored boolean, is_computed boolean, differences jsonb, differing bigint)
language plpgsql as $$
declare
    metric regclass := format('otc.%I', name);
    columns text;
    keys text;
begin
    select string_agg(quote_ident(attname), ', ' order by attnum) into columns
    from pg_attribute
    where attrelid = metric and attnum > 0 and not attisdropped and attname <> 'computed_at';

    select string_agg(quote_ident(a.attname), ', ' order by array_position(i.indkey::int2[], a.attnum)) into keys
    from pg_index as i
    inner join pg_attribute as a on a.attrelid = i.indrelid and a.attnum = any (i.indkey::int2[])
    where i.indrelid = metric and i.indisunique and a.attname <> 'week_ending';

    return query execute format(
        'with stored as (select %1$s from %2$s where week_ending = $1),
        computed as (select %1$s from otc.%3$I(null, $1, $1)),
        wrong as (
            select true as is_there, * from (select * from stored except all select * from computed) as s
            union all
            select false, * from (select * from computed except all select * from stored) as c
        )
        select
            concat_ws(chr(32), %4$s), bool_or(is_there), not bool_and(is_there),
            otc_internal.differences(
                (array_agg(to_jsonb(w) - ''is_there'') filter (where is_there))[1],
                (array_agg(to_jsonb(w) - ''is_there'') filter (where not is_there))[1]
            ),
            count(*) over ()
        from wrong as w group by %4$s order by 1 limit 5',
        columns, metric, name || '_as_of', coalesce(keys, 'week_ending')
    ) using week;
end
$$;

-- A symbol's rows of metrics that are by symbol, each as JSON in the order of the metric's columns; without a moment as
-- stored, else as known then.
drop function if exists otc_internal.metrics_of(text[], text, date, date);
create or replace function otc_internal.metrics_of(
    metrics text[], of_symbol text, first_week date, last_week date, at timestamptz
) returns table (metric text, stored json) language plpgsql stable as $$
begin
    foreach metric in array metrics loop
        return query execute format(
            'select %1$L::text, row_to_json(m) from otc.%2$s as m
            where m.symbol = $1 and m.week_ending between $2 and $3 order by m',
            metric, case when at is null then quote_ident(metric) else quote_ident(metric || '_as_of') || '($4, $2, $3)' end
        ) using of_symbol, first_week, last_week, at;
    end loop;
end
$$;

-- The weeks of a metric whose history has rows that begin or end at a moment.
create or replace function otc_internal.weeks_changed_at(metric text, moment timestamptz, first_week date, last_week date)
returns date[] language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
declare
    weeks date[];
begin
    execute format(
        'select array(
            select o.week_ending from otc_internal.history_opening as o
            where o.metric = $1 and o.known_from = $2 and o.week_ending between $3 and $4
            union
            select h.week_ending from otc_internal.%I as h
            where (h.known_from = $2 or h.known_until = $2) and h.week_ending between $3 and $4
        )', metric || '_history'
    ) into weeks using metric, moment, first_week, last_week;
    return weeks;
end
$$;

-- By week: the number of rows of a metric that an observation changed, compared with the moment just before it, and how many
-- of them changed in a word or rank that people act on: by the histories of these weeks.
create or replace function otc_internal.effect(metric text, moment timestamptz, first_week date, last_week date, symbols text[])
returns table (week_ending date, metric_name text, rows bigint, words bigint, names text[]) language plpgsql stable as $$
declare
    columns text;
    keys text;
    of_symbols text;
    word text;
    called text;
    weeks date[] := otc_internal.weeks_changed_at(metric, moment, first_week, last_week);
begin
    if weeks = '{}' then
        return;
    end if;
    select string_agg(quote_ident(attname), ', ' order by attnum),
        case when bool_or(attname = 'symbol') then 'and symbol = any ($3)' else '' end,
        coalesce(string_agg(quote_ident(attname), ', ') filter (
            where attname in ('trend', 'concentration_level', 'concentration_level_2023', 'rank')
        ), ''),
        case
            when bool_or(attname = 'symbol') then 'symbol'
            when bool_or(attname = 'mpid') then 'coalesce(mpid, firm_crd::text, venue_name)'
            else 'null::text'
        end
    into columns, of_symbols, word, called
    from pg_attribute
    where attrelid = format('otc.%I', metric)::regclass and attnum > 0 and not attisdropped and attname <> 'computed_at';

    select string_agg(quote_ident(a.attname), ', ' order by a.attnum) into keys
    from pg_index as i
    inner join pg_attribute as a on a.attrelid = i.indrelid and a.attnum = any (i.indkey::int2[])
    where i.indrelid = format('otc.%I', metric)::regclass and i.indisunique;

    return query execute format(
        'with after as (
            select %1$s from otc.%2$I where known_from = $1 and week_ending = any ($2) %4$s
        ),
        before as (
            select %1$s from otc.%2$I where known_until = $1 and week_ending = any ($2) %4$s
        ),
        differing as (
            select %3$s, %8$s as called, concat_ws(chr(32), %5$s) as word
            from (select * from after except select * from before) as a
            union all
            select %3$s, %8$s, concat_ws(chr(32), %5$s) from (select * from before except select * from after) as b
        ),
        keyed as (
            select %3$s, max(called) as called,
                %7$L::boolean and (count(distinct word) > 1 or count(*) = 1) as is_word
            from differing group by %3$s
        )
        select k.week_ending, %6$L::text, count(*), count(*) filter (where k.is_word),
            array_agg(distinct k.called) filter (where k.is_word)
        from keyed as k group by k.week_ending',
        columns, metric || '_history', keys, of_symbols, coalesce(nullif(word, ''), 'null'), metric, word <> '', called
    ) using moment, weeks, symbols;
end
$$;
