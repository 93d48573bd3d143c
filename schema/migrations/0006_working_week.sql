-- What metrics build on, by record: to sum a week by venue first took longer than the metrics themselves.
drop function otc.week_volume, otc.summed_as_of;
drop table otc.working_week;

create unlogged table otc.working_week (
    week_ending date not null,
    tier text collate "C" not null,
    symbol text collate "C",
    mpid text collate "C",
    firm_crd int,
    venue_type text collate "C" not null,
    unnumbered text collate "C", -- the name of a venue that has no number
    is_named boolean not null, -- not de minimis
    covers_all boolean not null, -- the partition tells both venue types
    venue_name text collate "C", -- a venue has one, all but always; numbers of names would tell the order of arrival
    volume numeric not null,
    trades bigint not null,
    notional numeric, -- null where the record lacks it
    is_first_on_tier boolean not null, -- of its venue's records of the symbol on the tier
    symbol_volume numeric -- the venue's volume in the symbol on all tiers: on the first of these records, else null
);
comment on table otc.working_week is 'a runner puts its week here and takes it away in the same transaction';

-- The records of some weeks that count at a moment. A venue's records of a symbol, on several tiers or under several
-- products or issue names, are next to each other in the sort that both windows share. It starts with what tells most
-- rows apart: with the week in front it took twice as long.
create function otc.counted_as_of(at timestamptz, first_week date, last_week date)
returns setof otc.working_week language sql stable parallel safe as $$
with record as (
    select
        r.*,
        n.name as venue_name,
        case when r.mpid is null and r.firm_crd is null then n.name end as unnumbered,
        (coalesce(r.firm_crd = 0, false) or coalesce(n.name = 'De Minimis Firms', false)) is false as is_named
    from otc.counting_as_of($1) as r
    left join otc.name as n on n.name_id = r.venue_name_id
    where r.week_ending between $2 and $3
)
select
    r.week_ending,
    r.tier,
    r.symbol,
    r.mpid,
    r.firm_crd,
    r.venue_type,
    r.unnumbered,
    r.is_named,
    (r.week_ending, r.tier) in (select p.week_ending, p.tier from otc.loaded_as_of($1) as p where p.covers_all),
    r.venue_name,
    r.share_volume,
    r.trade_count,
    r.notional,
    lag(r.tier) over by_venue is distinct from r.tier,
    case
        when lag(r.tier) over by_venue is null then
            sum(r.share_volume) over (
                partition by r.symbol, r.firm_crd, r.mpid, r.week_ending, r.venue_type, r.unnumbered, r.is_named
            )
    end
from record as r
where (r.week_ending, r.tier) in (select p.week_ending, p.tier from otc.loaded_as_of($1) as p)
window by_venue as (
    partition by r.symbol, r.firm_crd, r.mpid, r.week_ending, r.venue_type, r.unnumbered, r.is_named order by r.tier
)
$$;

-- The same from the working week where the moment is null: metrics have one definition for both.
create function otc.week_volume(at timestamptz, first_week date, last_week date)
returns setof otc.working_week language sql stable parallel safe as $$
select * from otc.working_week where $1 is null
union all
select * from otc.counted_as_of($1, $2, $3) where $1 is not null
$$;

-- Store a week of a metric as its own function tells it from the working week. A row whose values are the same stays
-- untouched, so that its computed_at moves only when a value does.
create or replace function otc.store_metric(name text, week date) returns bigint language plpgsql as $$
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
    execute format( -- quicker than to try each row and meet a conflict: the runner's lock keeps others away
        'insert into %2$s (%1$s) select %1$s from computed as s
        where not exists (select from %2$s as m where m.week_ending = $1 and %3$s)', columns, metric, same_key
    ) using week;
    get diagnostics changed = row_count;
    if (select reltuples from pg_class where oid = metric) < 0 then -- its first week: the next metric reads it at once
        execute format('analyze %s', metric);
    end if;
    drop table computed;
    return changed;
end
$$;
