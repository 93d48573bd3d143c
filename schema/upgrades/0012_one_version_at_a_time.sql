-- A capture is numbered after its observation's key, not by a sequence: the number survives a restore.
alter table otc.capture alter column capture_id drop identity if exists;

-- No record is closed by the capture that opened it. Rows like that came of a persist stage that ran twice.
delete from otc.volume_record where ended_by = brought_by;
alter table otc.volume_record add constraint volume_record_is_open_for_a_while check (ended_by <> brought_by);

-- The venue's name is part of a record's identity: a firm renamed in mid-period has two rows in one week.
drop index otc.volume_record_current;
create unique index volume_record_current on otc.volume_record
    (week_ending, tier, symbol, mpid, firm_crd, issue_name_id, product_type, venue_type, venue_name_id)
    nulls not distinct where ended_by is null;

-- A capture closes one version of a record at most.
drop index otc.volume_record_ended;
create unique index volume_record_ended on otc.volume_record
    (week_ending, tier, symbol, mpid, firm_crd, issue_name_id, product_type, venue_type, venue_name_id, ended_by)
    nulls not distinct where ended_by is not null;

-- Raise an error if two versions of one record of the capture's partition were current at the same time. Only symbols
-- with a closed version are read.
create function otc.forbid_overlap() returns trigger language plpgsql set enable_nestloop to off as $$
declare
    wrong text;
begin
    with closed as materialized (
        select distinct symbol from otc.volume_record
        where week_ending = new.week_ending and tier = new.tier and ended_by is not null
    ),
    place as (
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
        inner join place as o on o.capture_id = r.brought_by
        left join place as c on c.capture_id = r.ended_by
        where
            r.week_ending = new.week_ending and r.tier = new.tier
            and (
                r.symbol = any(array(select symbol from closed where symbol is not null))
                or (r.symbol is null and exists (select from closed where symbol is null))
            )
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

create constraint trigger capture_versions_do_not_overlap
after update of persisted_at, normalized_key on otc.capture
deferrable initially deferred for each row
when (new.normalized_key is not null)
execute function otc.forbid_overlap();
