-- Symbols of which a row was set aside in what was the newest answer about a partition at a moment; null is now. A file
-- does not replace what the API said of non-ATS rows, so that the newest of either counts, unless a newer one covers all.
create or replace function otc.set_aside_as_of(at timestamptz, first_week date, last_week date)
returns setof otc.week_symbol language sql stable parallel safe as $$
with known as (
    select o.raw_key, o.week_ending, o.covers, o.observed_at, c.fetched_key, o.tier
    from otc.capture_order as o
    inner join otc.capture as c on c.capture_id = o.capture_id
    where
        o.week_ending between $2 and $3
        and (
            $1 is null
            or case
                when o.is_first or o.is_first_of_all then least(o.observed_at, otc.published_at(o.published_on))
                else o.observed_at
            end <= $1
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
