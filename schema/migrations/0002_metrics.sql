-- What the metrics build on. Each metric's own table stands in its own file in schema/metrics.

-- Partitions whose records are in, and whether they tell both venue types.
create view otc.loaded_partition as
select week_ending, tier, bool_or(covers = 'all') as covers_all
from otc.capture
where persisted_at is not null
group by week_ending, tier;

-- The sessions of a week, by the calendar at its first capture.
create table otc.trading_week (
    week_ending date primary key,
    trading_days int not null, -- of the NYSE, half days among them
    half_days int not null
);

-- Store a week of a metric as its own function tells it from the working week. A row whose values are the same stays
-- untouched, so that its computed_at moves only when a value does.
create function otc.store_metric(name text, week date) returns bigint language plpgsql as $$
declare
    metric regclass := format('otc.%I', name);
    columns text;
    same_key text;
    changed bigint;
begin
    select string_agg(quote_ident(attname), ', ' order by attnum) into columns
    from pg_attribute
    where attrelid = metric and attnum > 0 and not attisdropped and attname <> 'computed_at';

    select string_agg(format(
        case when a.attnotnull then 'm.%1$I = s.%1$I' else 'm.%1$I is not distinct from s.%1$I' end, a.attname
    ), ' and ') into same_key
    from pg_index as i
    inner join pg_attribute as a on a.attrelid = i.indrelid and a.attnum = any (i.indkey::int2[])
    where i.indrelid = metric and i.indisunique;

    execute format('create temporary table computed on commit drop as select %s from otc.%I(null, $1, $1)', columns, name || '_as_of')
    using week;
    execute format(
        'with stale as (select %1$s from %2$s where week_ending = $1 except select %1$s from computed)
        delete from %2$s as m using stale as s where m.week_ending = $1 and %3$s', columns, metric, same_key
    ) using week;
    execute format(
        'insert into %2$s (%1$s) select %1$s from computed on conflict do nothing', columns, metric
    );
    get diagnostics changed = row_count;
    if (select reltuples from pg_class where oid = metric) < 0 then -- its first week: the next metric reads it at once
        execute format('analyze %s', metric);
    end if;
    drop table computed;
    return changed;
end
$$;

-- Rows of a metric in the temporary table `asked`: as they stand, or as known at a moment; of all symbols, or of some.
-- computed_at tells when the work was done and nothing of the market, so it stays here.
create function otc.ask_metric(metric text, at timestamptz, first_week date, last_week date, symbols text[])
returns void language plpgsql as $$
begin
    execute 'drop table if exists asked';
    execute format(
        'create temporary table asked on commit drop as select * from %s where week_ending between $2 and $3 %s',
        case when at is null then format('otc.%I', metric) else format('otc.%I($1, $2, $3)', metric || '_as_of') end,
        case when symbols is not null then 'and symbol = any ($4)' end
    ) using at, first_week, last_week, symbols;
    alter table asked drop column computed_at;
end
$$;

-- What two versions of a row do not share: column: [of the first, of the second], as text.
create function otc.differences(one jsonb, other jsonb) returns jsonb language sql immutable parallel safe as $$
select jsonb_object_agg(a.key, jsonb_build_array(a.value, b.value))
from jsonb_each_text(one) as a
inner join jsonb_each_text(other) as b on b.key = a.key
where a.value is distinct from b.value
$$;

-- The rows of a metric's week that are not those that its own function tells from the working week, a few of them.
create function otc.differing_metric(name text, week date)
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
            otc.differences(
                (array_agg(to_jsonb(w) - ''is_there'') filter (where is_there))[1],
                (array_agg(to_jsonb(w) - ''is_there'') filter (where not is_there))[1]
            ),
            count(*) over ()
        from wrong as w group by %4$s order by 1 limit 5',
        columns, metric, name || '_as_of', coalesce(keys, 'week_ending')
    ) using week;
end
$$;

-- A symbol's rows of metrics that are by symbol, each metric's in the order of its columns.
create function otc.metrics_of(metrics text[], of_symbol text, first_week date, last_week date)
returns table (metric text, told json) language plpgsql stable as $$
begin
    foreach metric in array metrics loop
        return query execute format(
            'select %1$L::text, row_to_json(m) from otc.%1$I as m
            where m.symbol = $1 and m.week_ending between $2 and $3 order by m', metric
        ) using of_symbol, first_week, last_week;
    end loop;
end
$$;
