-- name: lock_volumes
-- Wait for another import: versions follow from all imports in order.
select pg_advisory_xact_lock(hashtext('otc.volume_import'));

-- name: volume_imports
-- The imports of a dataset, oldest first.
select import_id, dataset, source, key, digest, observed_at, first_day, last_day, rows
from otc.volume_import
where dataset = %(dataset)s
order by observed_at, key;

-- name: add_volume_import
-- Add an import.
insert into otc.volume_import (import_id, dataset, source, key, digest, observed_at, first_day, last_day, rows)
values (
    %(import_id)s, %(dataset)s, %(source)s, %(key)s, %(digest)s, %(observed_at)s, %(first_day)s, %(last_day)s, %(rows)s
)
on conflict do nothing;

-- name: forget_market_volume
-- Delete all versions, to make them again from all imports.
delete from otc_internal.market_volume;

-- name: forget_consolidated_volume
-- Delete all versions, to make them again from all imports.
delete from otc_internal.consolidated_volume;

-- name: forget_stock_split
-- Delete all versions, to make them again from all imports.
delete from otc_internal.stock_split;

-- name: create_incoming_market_volume
-- Hold the rows of a file.
create temporary table if not exists incoming (
    day date, participant_code text collate "C", participant text collate "C", tape text collate "C",
    shares numeric(26, 6), notional numeric(30, 6), trades bigint
) on commit drop;

-- name: create_incoming_consolidated_volume
-- Hold the rows of a file.
create temporary table if not exists incoming (
    day date, symbol text collate "C", source text collate "C", volume numeric(26, 6)
) on commit drop;

-- name: create_incoming_stock_split
-- Hold the rows of a file.
create temporary table if not exists incoming (
    symbol text collate "C", ex_date date, ratio numeric(24, 12), week_ending date, mixed_ratio numeric(24, 12),
    known_from timestamptz
) on commit drop;

-- name: clear_incoming
-- Make room for the rows of another file.
truncate incoming;

-- name: copy_market_volume
-- The rows of a file.
copy incoming (day, participant_code, participant, tape, shares, notional, trades) from stdin (format binary);

-- name: copy_consolidated_volume
-- The rows of a file.
copy incoming (day, symbol, source, volume) from stdin (format binary);

-- name: copy_stock_split
-- The rows of a file.
copy incoming (symbol, ex_date, ratio, week_ending, mixed_ratio, known_from) from stdin (format binary);

-- name: apply_market_volume
-- Replace the days of a file: close what it lacks or has otherwise, and open what is new. Returns the weeks that changed.
with closed as (
    update otc_internal.market_volume as v set closed_by = %(import_id)s
    where
        v.closed_by is null and v.day in (select i.day from incoming as i)
        and not exists (
            select from incoming as i
            where
                i.day = v.day and i.participant_code = v.participant_code and i.tape = v.tape
                and (i.participant, i.shares, i.notional, i.trades) = (v.participant, v.shares, v.notional, v.trades)
        )
    returning v.day
),
opened as (
    insert into otc_internal.market_volume (day, participant_code, participant, tape, shares, notional, trades, opened_by)
    select i.day, i.participant_code, i.participant, i.tape, i.shares, i.notional, i.trades, %(import_id)s
    from incoming as i
    where not exists (
        select from otc_internal.market_volume as v
        where
            v.closed_by is null and i.day = v.day and i.participant_code = v.participant_code and i.tape = v.tape
            and (i.participant, i.shares, i.notional, i.trades) = (v.participant, v.shares, v.notional, v.trades)
    ) and (select count(*) from closed) >= 0 -- after them
    returning day
)
select distinct otc_internal.week_of(c.day) as week_ending from (select day from closed union select day from opened) as c;

-- name: apply_consolidated_volume
-- Replace the symbols' days of a file; other days and symbols stay. Returns the weeks that changed.
with closed as (
    update otc_internal.consolidated_volume as v set closed_by = %(import_id)s
    from incoming as i
    where v.closed_by is null and v.day = i.day and v.symbol = i.symbol and v.source = i.source and v.volume <> i.volume
    returning v.day
),
opened as (
    insert into otc_internal.consolidated_volume (day, symbol, source, volume, opened_by)
    select i.day, i.symbol, i.source, i.volume, %(import_id)s
    from incoming as i
    where not exists (
        select from otc_internal.consolidated_volume as v
        where v.closed_by is null and v.day = i.day and v.symbol = i.symbol and v.source = i.source and v.volume = i.volume
    ) and (select count(*) from closed) >= 0 -- after them
    returning day
)
select distinct otc_internal.week_of(c.day) as week_ending from (select day from closed union select day from opened) as c;

-- name: apply_stock_split
-- Replace the splits of a file's symbols; other symbols stay. A split is known from the time that the file says, or from the
-- import; one of a symbol of which something was changed or withdrawn, not before that. Returns the weeks that changed.
with closed as (
    update otc_internal.stock_split as v set closed_by = %(import_id)s
    where
        v.closed_by is null and v.symbol in (select i.symbol from incoming as i)
        and not exists (
            select from incoming as i where (i.symbol, i.ex_date, i.ratio, i.week_ending) = (v.symbol, v.ex_date, v.ratio, v.week_ending)
        )
    returning v.symbol, v.week_ending
),
opened as (
    insert into otc_internal.stock_split (symbol, ex_date, ratio, week_ending, mixed_ratio, known_from, opened_by)
    select
        i.symbol, i.ex_date, i.ratio, i.week_ending, i.mixed_ratio,
        case
            when i.symbol in (select c.symbol from closed as c) then own.observed_at
            else greatest(least(i.known_from, own.observed_at), (
                select max(o.observed_at)
                from otc_internal.stock_split as v
                inner join otc.volume_import as o on o.import_id = v.closed_by
                where v.symbol = i.symbol
            ))
        end,
        own.import_id
    from incoming as i
    inner join otc.volume_import as own on own.import_id = %(import_id)s
    where not exists (
        select from otc_internal.stock_split as v
        where
            v.closed_by is null
            and (i.symbol, i.ex_date, i.ratio, i.week_ending) = (v.symbol, v.ex_date, v.ratio, v.week_ending)
    )
    returning week_ending
)
select week_ending from closed union select week_ending from opened;

-- name: mark_readers_due
-- Mark metrics of the loaded weeks among some, and of the weeks after them that each reaches, as due; return these weeks.
insert into otc_internal.metric_due (week_ending, metric, over_stored)
select c.week_ending, m.metric, true
from unnest(%(metrics)s::text[], %(reaches)s::int[]) as m (metric, reach)
cross join (select distinct week_ending from otc.capture where persisted_at is not null) as c
where exists (
    select from unnest(%(weeks)s::date[]) as w (week_ending)
    where c.week_ending between w.week_ending and w.week_ending + 7 * m.reach
)
order by c.week_ending, m.metric
on conflict (week_ending, metric, over_stored) do update set metric = excluded.metric
returning week_ending;
