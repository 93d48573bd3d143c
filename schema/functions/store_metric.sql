-- Store a week of a metric as its own function tells it from the week's sums. A row whose values are the same stays
-- untouched, so that its computed_at moves only when a value does.
create or replace function otc.store_metric(name text, week date) returns bigint language plpgsql as $$
declare
    metric regclass := format('otc.%I', name);
    columns text;
    same_key text;
    is_stored boolean;
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

    execute format('select exists (select from %s where week_ending = $1)', metric) into is_stored using week;
    if not is_stored then
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
        'with stale as (select %1$s from %2$s where week_ending = $1 except select %1$s from computed)
        delete from %2$s as m using stale as s where m.week_ending = $1 and %3$s', columns, metric, same_key
    ) using week;
    execute format( -- quicker than to try each row and meet a conflict: the runner's lock keeps others away
        'insert into %2$s (%1$s) select %1$s from computed as s
        where not exists (select from %2$s as m where m.week_ending = $1 and %3$s)', columns, metric, same_key
    ) using week;
    get diagnostics changed = row_count;
    drop table computed;
    return changed;
end
$$;
