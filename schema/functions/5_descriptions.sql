-- Comment on tables, views, types of rows, their columns (where a column is given) and functions of `otc`. What is described
-- so already, or does not exist, is left alone: a comment locks its table against vacuum.
create or replace function otc_internal.describe(objects text[], columns text[], texts text[])
returns void language plpgsql as $$
declare
    each record;
begin
    for each in
        select format('column otc.%I.%I', d.name, a.attname) as what, d.text
        from unnest(objects, columns, texts) as d (name, attname, text)
        inner join pg_class as c on c.relnamespace = 'otc'::regnamespace and c.relname = d.name
        inner join pg_attribute as a on a.attrelid = c.oid and a.attname = d.attname and a.attnum > 0
        where col_description(c.oid, a.attnum) is distinct from d.text
        union all
        select format('%s otc.%I', case c.relkind when 'v' then 'view' when 'c' then 'type' else 'table' end, d.name), d.text
        from unnest(objects, columns, texts) as d (name, attname, text)
        inner join pg_class as c on c.relnamespace = 'otc'::regnamespace and c.relname = d.name
        where
            d.attname is null
            and coalesce(obj_description(c.oid, 'pg_class'), obj_description(c.reltype, 'pg_type')) is distinct from d.text
        union all
        select format('function %s', p.oid::regprocedure), d.text
        from unnest(objects, columns, texts) as d (name, attname, text)
        inner join pg_proc as p on p.pronamespace = 'otc'::regnamespace and p.proname = d.name
        where d.attname is null and obj_description(p.oid, 'pg_proc') is distinct from d.text
    loop
        execute format('comment on %s is %L', each.what, each.text);
    end loop;
end
$$;
