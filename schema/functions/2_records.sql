-- Create the partition of the quarter of a week. Attaching a table blocks no reader and no writer.
create or replace function otc_internal.create_quarter(week date) returns void language plpgsql as $$
declare
    quarter date := date_trunc('quarter', week);
    name text := format('volume_record_%sq%s', extract(year from week), extract(quarter from week));
begin
    if to_regclass('otc_internal.' || name) is not null then
        return;
    end if;
    perform pg_advisory_xact_lock(hashtext('otc_internal.create_quarter'));
    -- a query, because the answer of to_regclass before the lock may be cached
    if not exists (select from pg_class as c where c.relnamespace = 'otc_internal'::regnamespace and c.relname = name) then
        execute format('create table otc_internal.%I (like otc_internal.volume_record including defaults including constraints)', name);
        execute format(
            'alter table otc_internal.volume_record attach partition otc_internal.%I for values from (%L) to (%L)',
            name, quarter, quarter + interval '3 months'
        );
    end if;
end
$$;

-- The versions known at a moment; at 'infinity' the current ones, of which none has to be asked since when it is known.
-- Current and closed versions have an index each.
create or replace function otc.version_as_of(at timestamptz, strict boolean)
returns setof otc.version language sql stable parallel safe as $$
select * from otc.version
where closed_by is null and (at > '9999-12-31 00:00+00' or case when strict then available_at else known_from end <= at)
union all
select * from otc.version
where closed_by is not null and closed_at > at and case when strict then available_at else known_from end <= at
$$;

-- The records as known at a moment. With `strict`, records are left out that were restated before the first capture:
-- between their publication and that capture they may have had another value. Without it they are `unknown`.
create or replace function otc.venue_volume_as_of(at timestamptz, strict boolean default false)
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
from otc.version_as_of(at, strict) as v
left join otc_internal.name as issue on issue.name_id = v.issue_name_id
left join otc_internal.name as venue on venue.name_id = v.venue_name_id
$$;

-- Partitions known at a moment, and whether both venue types were. At null: now, without the held partitions.
create or replace function otc.loaded_as_of(at timestamptz)
returns setof otc.loaded language sql stable parallel safe as $$
select p.week_ending, p.tier, p.covers_all from otc.loaded_partition as p where at is null
union all
select c.week_ending, c.tier, bool_or(c.covers = 'all')
from otc.capture_order as c
where
    at is not null
    and case
        when c.is_first or c.is_first_of_all then least(c.observed_at, otc.published_at(c.published_on))
        else c.observed_at
    end <= at
group by c.week_ending, c.tier
$$;

-- The records that count at a moment. At null: the current ones, however long they have been known.
create or replace function otc_internal.counting_as_of(at timestamptz)
returns setof otc_internal.counting_record language sql stable parallel safe as $$
select
    week_ending, tier, symbol, mpid, firm_crd, venue_type, issue_name_id, venue_name_id, share_volume, trade_count, notional
from otc_internal.volume_record
where at is null and closed_by is null
union all
select
    week_ending, tier, symbol, mpid, firm_crd, venue_type, issue_name_id, venue_name_id, share_volume, trade_count, notional
from otc.version_as_of(at, true) -- a metric cannot mark a value as unknown: it leaves the record out
where at is not null
$$;

-- Symbols with a rejected row in the newest answer about a partition at a moment; at null: now. A website file does not
-- replace the other rows of the API, so that the newest of either counts, unless a newer one covers all.
create or replace function otc_internal.set_aside_as_of(at timestamptz, first_week date, last_week date)
returns setof otc_internal.week_symbol language sql stable parallel safe as $$
with known as (
    select o.raw_key, o.week_ending, o.covers, o.observed_at, c.fetched_key, o.tier
    from otc.capture_order as o
    inner join otc.capture as c on c.capture_id = o.capture_id
    where
        o.week_ending between first_week and last_week
        and (
            at is null
            or case
                when o.is_first or o.is_first_of_all then least(o.observed_at, otc.published_at(o.published_on))
                else o.observed_at
            end <= at
        )
),
ranked as (
    select
        raw_key,
        week_ending,
        row_number() over (partition by week_ending, tier, covers order by observed_at desc, fetched_key desc) as place,
        count(*) filter (where covers = 'all') over (
            partition by week_ending, tier order by observed_at desc, fetched_key desc
            rows between unbounded preceding and 1 preceding
        ) as newer_of_all
    from known
)
select distinct r.week_ending, r.symbol
from ranked as n
inner join otc.reject as r on r.raw_key = n.raw_key and r.week_ending = n.week_ending
where n.place = 1 and n.newer_of_all = 0 and r.symbol is not null
$$;

-- The weeks in which a symbol is looked for: the newest of each tier, and the last of each quarter of a year, and of each year
-- before, as some symbols were delisted.
create or replace function otc_internal.weeks_of_names() returns setof date language sql stable as $$
select max(week_ending) from otc.loaded_partition group by tier
union
select max(week_ending) from otc.loaded_partition group by date_trunc('year', week_ending)
union
select max(week_ending)
from otc.loaded_partition
where week_ending > (select max(p.week_ending) from otc.loaded_partition as p) - 366
group by date_trunc('quarter', week_ending)
$$;
