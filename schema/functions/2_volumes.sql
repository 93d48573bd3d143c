-- The week, named by its Friday, that contains a day.
create or replace function otc_internal.week_of(day date) returns date language sql immutable parallel safe as $$
select day + 5 - extract(isodow from day)::int
$$;

-- The volume of the market as known at a moment; at null: now.
create or replace function otc.market_volume_as_of(at timestamptz)
returns setof otc.market_volume language sql stable parallel safe as $$
select * from otc.market_volume where at is null
union all
select v.day, v.participant_code, v.participant, v.tape, v.shares, v.notional, v.trades, i.source, i.observed_at
from otc_internal.market_volume as v
inner join otc.volume_import as i on i.import_id = v.opened_by
left join otc.volume_import as c on c.import_id = v.closed_by
where at is not null and i.observed_at <= at and (c.observed_at > at or v.closed_by is null)
$$;

-- The consolidated volume of symbols as known at a moment; at null: now.
create or replace function otc.consolidated_volume_as_of(at timestamptz)
returns setof otc.consolidated_volume language sql stable parallel safe as $$
select * from otc.consolidated_volume where at is null
union all
select v.day, v.symbol, v.source, v.volume, i.observed_at
from otc_internal.consolidated_volume as v
inner join otc.volume_import as i on i.import_id = v.opened_by
left join otc.volume_import as c on c.import_id = v.closed_by
where at is not null and i.observed_at <= at and (c.observed_at > at or v.closed_by is null)
$$;

-- The imported splits as known at a moment; at null: now.
create or replace function otc.stock_split_as_of(at timestamptz)
returns setof otc.stock_split language sql stable parallel safe as $$
select * from otc.stock_split where at is null
union all
select v.symbol, v.ex_date, v.ratio, v.week_ending, v.mixed_ratio, v.known_from, i.source, i.observed_at
from otc_internal.stock_split as v
inner join otc.volume_import as i on i.import_id = v.opened_by
left join otc.volume_import as c on c.import_id = v.closed_by
where at is not null and v.known_from <= at and (c.observed_at > at or v.closed_by is null)
$$;

-- What the shares of an earlier week are multiplied by because of one split, to compare them with those of a later week.
-- `new_week` is the first week with the new shares only; `mixed_ratio`, if the week before it had both, applies to that week.
create or replace function otc_internal.split_factor(
    ratio numeric, mixed_ratio numeric, new_week date, earlier date, later date
) returns numeric language sql immutable parallel safe as $$
select case
    when mixed_ratio is null then ratio
    when earlier = new_week - 7 then mixed_ratio
    when later = new_week - 7 then round(ratio / mixed_ratio, 9)
    else ratio
end
$$;
