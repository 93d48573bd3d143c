-- What was known when. A record is known from the moment it was observed; one of a partition's first capture from
-- its publication already, where it was not restated in between.

-- Captures in the order of observation, and whether nothing before them told the same kind of row.
create view otc.capture_order as
select
    capture_id,
    week_ending,
    tier,
    covers,
    observed_at,
    published_on,
    raw_key,
    row_number() over by_partition = 1 as is_first, -- of any ATS row
    covers = 'all' and row_number() over (partition by week_ending, tier, covers order by observed_at, fetched_key) = 1
    as is_first_of_all -- of any other row
from otc.capture
where persisted_at is not null
window by_partition as (partition by week_ending, tier order by observed_at, fetched_key);

-- Ended rows are few; the current ones have the unique index.
create index volume_record_ended on otc.volume_record (week_ending, tier) where ended_by is not null;

-- When a row was known: its capture's observation; or, for a row of the first capture that was never restated, 06:00
-- New York on its publication. A restated one has been there since its publication with a value that nobody kept.
create function otc.certainty(is_first boolean, published_on date, updated_on date, observed_at timestamptz)
returns text language sql immutable parallel safe as $$
select case
    when not is_first then 'observed'
    when updated_on is distinct from published_on then 'unknown'
    when (observed_at at time zone 'America/New_York')::date <= published_on then 'observed'
    else 'inferred'
end
$$;

create function otc.published_at(published_on date) returns timestamptz language sql immutable parallel safe as $$
select (published_on + time '06:00') at time zone 'America/New_York'
$$;

-- All versions of all records, with when each was known and until when. `known_from` counts a restated row of the
-- first capture from its publication on, `available_at` from its observation.
create view otc.version as
select
    v.*,
    otc.certainty(v.is_first, v.first_published_on, v.updated_on, v.observed_at) as certainty,
    case
        when not v.is_first then v.observed_at
        when v.updated_on is distinct from v.first_published_on then v.observed_at
        else least(v.observed_at, otc.published_at(v.first_published_on))
    end as available_at,
    case when v.is_first then least(v.observed_at, otc.published_at(v.first_published_on)) else v.observed_at end
    as known_from
from (
    select
        r.*,
        c.observed_at,
        c.raw_key,
        c.covers,
        case when r.venue_type = 'ATS' then c.is_first else c.is_first_of_all end as is_first,
        coalesce(r.published_on, c.published_on) as first_published_on,
        e.observed_at as ended_at
    from otc.volume_record as r
    inner join otc.capture_order as c
        on c.capture_id = r.brought_by and c.week_ending = r.week_ending and c.tier = r.tier
    left join otc.capture as e on e.capture_id = r.ended_by
) as v;

-- The versions known at a moment; at 'infinity' the current ones. Current and ended rows have an index each.
create function otc.version_as_of(at timestamptz, strict boolean)
returns setof otc.version language sql stable parallel safe as $$
select * from otc.version
where ended_by is null and case when $2 then available_at else known_from end <= $1
union all
select * from otc.version
where ended_by is not null and ended_at > $1 and case when $2 then available_at else known_from end <= $1
$$;

-- Types for what functions return: a column of `returns table` would lose its collation, and with it every index.
create type otc.known_record as (
    week_ending date,
    tier text collate "C",
    venue_type text collate "C",
    symbol text collate "C",
    issue_name text collate "C",
    product_type text collate "C",
    mpid text collate "C",
    firm_crd int,
    venue_name text collate "C",
    share_volume numeric,
    trade_count bigint,
    notional numeric,
    published_on date,
    updated_on date,
    avg_trade_size numeric,
    observed_at timestamptz,
    raw_key text,
    certainty text,
    available_at timestamptz
);

create type otc.loaded as (week_ending date, tier text collate "C", covers_all boolean);

-- The records as known at a moment. `strict` leaves out what may have had another value then: rows that were restated
-- before our first capture, between their publication and that capture; else they show as `unknown`.
create function otc.venue_volume_as_of(at timestamptz, strict boolean default false)
returns setof otc.known_record language sql stable parallel safe as $$
select
    v.week_ending,
    v.tier,
    v.venue_type,
    v.symbol,
    issue.name,
    v.product_type,
    v.mpid,
    v.firm_crd,
    venue.name,
    v.share_volume,
    v.trade_count,
    v.notional,
    v.published_on,
    v.updated_on,
    round(v.share_volume / nullif(v.trade_count, 0), 6),
    v.observed_at,
    v.raw_key,
    v.certainty,
    v.available_at
from otc.version_as_of($1, $2) as v
left join otc.name as issue on issue.name_id = v.issue_name_id
left join otc.name as venue on venue.name_id = v.venue_name_id
$$;

-- Partitions known at a moment, and whether both venue types were. A null moment means now, as the tables stand.
create function otc.loaded_as_of(at timestamptz)
returns setof otc.loaded language sql stable parallel safe as $$
select p.week_ending, p.tier, p.covers_all from otc.loaded_partition as p where $1 is null
union all
select c.week_ending, c.tier, bool_or(c.covers = 'all')
from otc.capture_order as c
where
    $1 is not null
    and case
        when c.is_first or c.is_first_of_all then least(c.observed_at, otc.published_at(c.published_on))
        else c.observed_at
    end <= $1
group by c.week_ending, c.tier
$$;

-- What metrics build on: volume summed over products and issue names, one row a tier, symbol and venue.
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
    trades numeric not null,
    notional numeric -- null where a record lacks it
);
comment on table otc.working_week is 'a runner puts its week here and takes it away in the same transaction';

create type otc.counting_record as (
    week_ending date,
    tier text collate "C",
    symbol text collate "C",
    mpid text collate "C",
    firm_crd int,
    venue_type text collate "C",
    issue_name_id int,
    venue_name_id int,
    share_volume numeric,
    trade_count bigint,
    notional numeric
);

-- The records that count at a moment; at none, the current ones without a look at when they were known.
create function otc.counting_as_of(at timestamptz)
returns setof otc.counting_record language sql stable parallel safe as $$
select
    week_ending, tier, symbol, mpid, firm_crd, venue_type, issue_name_id, venue_name_id, share_volume, trade_count, notional
from otc.volume_record
where $1 is null and ended_by is null
union all
select
    week_ending, tier, symbol, mpid, firm_crd, venue_type, issue_name_id, venue_name_id, share_volume, trade_count, notional
from otc.version_as_of($1, true) -- a metric cannot flag what is unknown: it leaves it out
where $1 is not null
$$;

-- The group keys begin as the index of current records does, so that nearly nothing is sorted.
create function otc.summed_as_of(at timestamptz, first_week date, last_week date)
returns setof otc.working_week language sql stable parallel safe as $$
select
    r.week_ending,
    r.tier,
    r.symbol,
    r.mpid,
    r.firm_crd,
    r.venue_type,
    case when r.mpid is null and r.firm_crd is null then n.name end,
    not bool_or(coalesce(r.firm_crd = 0, false) or coalesce(n.name = 'De Minimis Firms', false)),
    bool_and(p.covers_all),
    max(n.name),
    sum(r.share_volume),
    sum(r.trade_count),
    case when count(r.notional) = count(*) then sum(r.notional) end
from otc.counting_as_of($1) as r
inner join otc.loaded_as_of($1) as p on p.week_ending = r.week_ending and p.tier = r.tier
left join otc.name as n on n.name_id = r.venue_name_id
where r.week_ending between $2 and $3
group by r.week_ending, r.tier, r.symbol, r.mpid, r.firm_crd, r.venue_type, 7
$$;

-- The same from the working week where the moment is null: metrics have one definition for both.
create function otc.week_volume(at timestamptz, first_week date, last_week date)
returns setof otc.working_week language sql stable parallel safe as $$
select * from otc.working_week where $1 is null
union all
select * from otc.summed_as_of($1, $2, $3) where $1 is not null
$$;

-- The rows of a metric that differ between the moment just before an observation and the observation itself, by week;
-- and of these how many changed in the word or rank that people act on.
create function otc.effect(metric text, moment timestamptz, first_week date, last_week date, symbols text[])
returns table (week_ending date, metric_name text, rows bigint, words bigint, names text[]) language plpgsql stable as $$
declare
    columns text;
    keys text;
    of_symbols text;
    word text;
    called text;
begin
    select string_agg(quote_ident(attname), ', ' order by attnum),
        case when bool_or(attname = 'symbol') then 'where symbol = any ($5)' else '' end,
        coalesce(string_agg(quote_ident(attname), ', ') filter (
            where attname in ('trend', 'concentration_level', 'concentration_level_2023', 'rank')
        ), ''),
        case when bool_or(attname = 'symbol') then 'symbol' else 'coalesce(mpid, firm_crd::text, venue_name)' end
    into columns, of_symbols, word, called
    from pg_attribute
    where attrelid = format('otc.%I', metric)::regclass and attnum > 0 and not attisdropped and attname <> 'computed_at';

    select string_agg(quote_ident(a.attname), ', ' order by a.attnum) into keys
    from pg_index as i
    inner join pg_attribute as a on a.attrelid = i.indrelid and a.attnum = any (i.indkey::int2[])
    where i.indrelid = format('otc.%I', metric)::regclass and i.indisunique;

    return query execute format(
        'with after as (select %1$s from otc.%2$I($1, $2, $3) %4$s),
        before as (select %1$s from otc.%2$I($4, $2, $3) %4$s),
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
        columns, metric || '_as_of', keys, of_symbols, coalesce(nullif(word, ''), 'null'), metric, word <> '', called
    ) using moment, first_week, last_week, moment - interval '1 microsecond', symbols;
end
$$;

-- A week of a metric in the temporary table `exported`: as it stands, or as known at a moment. computed_at tells when
-- the work was done and nothing of the market, so it stays here.
create function otc.take_metric(metric text, at timestamptz, week date) returns void language plpgsql as $$
begin
    execute 'drop table if exists exported';
    execute format('create temporary table exported (like otc.%I) on commit drop', $1);
    if at is null then
        execute format('insert into exported select * from otc.%I where week_ending = $1', $1) using week;
    else
        execute format('insert into exported select * from otc.%I($1, $2, $2)', $1 || '_as_of') using at, week;
    end if;
    alter table exported drop column week_ending, drop column computed_at;
end
$$;
