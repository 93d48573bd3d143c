-- Functions that tables and views are built on: they are created before the migrations run.

-- Whether the feed can hold the partition. Rows of any other are ignored wherever partitions are listed.
-- `otcpipe.weeks` has the same bounds.
create or replace function otc.is_partition(week_ending date, tier text)
returns boolean language sql immutable parallel safe as $$
select
    week_ending between date '2014-01-01' and date '2099-12-31' and extract(isodow from week_ending) = 5
    and tier in ('T1', 'T2', 'OTCE')
$$;

-- The moment of publication: 06:00 New York.
create or replace function otc.published_at(published_on date)
returns timestamptz language sql immutable parallel safe as $$
select (published_on + time '06:00') at time zone 'America/New_York'
$$;

-- How certain it is since when a record was known. `observed`: since its capture. `inferred`: since its publication,
-- because it was never restated. `unknown`: it was restated before the first capture, and its first value is lost.
create or replace function otc_internal.certainty(is_first boolean, published_on date, updated_on date, observed_on date)
returns text language sql immutable parallel safe as $$
select case
    when not is_first then 'observed'
    when updated_on is distinct from published_on then 'unknown'
    when observed_on <= published_on then 'observed'
    else 'inferred'
end
$$;

create or replace function otc.certainty(is_first boolean, published_on date, updated_on date, observed_at timestamptz)
returns text language sql immutable parallel safe as $$
select otc_internal.certainty(is_first, published_on, updated_on, (observed_at at time zone 'America/New_York')::date)
$$;

-- Raise an error if two versions of one record of the capture's partition were current at the same time. Only symbols
-- with a closed version are read, by the indexes of current and of closed versions.
create or replace function otc_internal.forbid_overlap()
returns trigger language plpgsql set enable_nestloop to off set enable_seqscan to off as $$
declare
    wrong text;
    symbols text[];
begin
    select array_agg(distinct symbol) into symbols
    from otc_internal.volume_record
    where week_ending = new.week_ending and tier = new.tier and closed_by is not null;
    if symbols is null then
        return null;
    end if;
    with place as (
        select capture_id, row_number() over (order by observed_at, fetched_key) as number
        from otc.capture
        where week_ending = new.week_ending and tier = new.tier
    ),
    version as (
        select r.symbol, o.number as opened, coalesce(c.number, 9223372036854775807) as closed,
            lag(coalesce(c.number, 9223372036854775807)) over (
                partition by
                    r.symbol, r.mpid, r.firm_crd, r.issue_name_id, r.product_type, r.venue_type, r.venue_name_id
                order by o.number
            ) as closed_before
        from otc.volume_record as r
        inner join place as o on o.capture_id = r.opened_by
        left join place as c on c.capture_id = r.closed_by
        where
            r.week_ending = new.week_ending and r.tier = new.tier
            and (r.symbol = any(symbols) or (r.symbol is null and array_position(symbols, null) is not null))
    )
    select coalesce(symbol, 'no symbol') into wrong
    from version
    where closed <= opened or closed_before > opened
    limit 1;
    if wrong is not null then
        raise exception 'two versions of a record of % overlap in % of %', wrong, new.tier, new.week_ending
        using errcode = 'integrity_constraint_violation';
    end if;
    return null;
end
$$;
