-- A partition's day of publication is what most of its records say: FINRA may publish a day early or a week late.
-- `otcpipe.stages.normalize.published_on` is the same rule for new captures.

create temporary table publication on commit drop as
with change as (
    select m.week_ending, m.tier, m.capture_id, m.published_on, sum(m.records) as records
    from (
        select week_ending, tier, opened_by as capture_id, published_on, count(*) as records
        from otc_internal.volume_record
        where published_on > week_ending
        group by week_ending, tier, opened_by, published_on
        union all
        select week_ending, tier, closed_by, published_on, -count(*)
        from otc_internal.volume_record
        where published_on > week_ending and closed_by is not null
        group by week_ending, tier, closed_by, published_on
    ) as m
    group by m.week_ending, m.tier, m.capture_id, m.published_on
),
capture as (
    select c.capture_id, c.week_ending, c.covers, c.published_on as planned_on, d.published_on,
        sum(e.records) over (
            partition by c.week_ending, c.tier, d.published_on order by c.observed_at, c.fetched_key
        ) as records
    from otc.capture as c
    inner join (select distinct week_ending, tier, published_on from change) as d
        on d.week_ending = c.week_ending and d.tier = c.tier
    left join change as e on e.capture_id = c.capture_id and e.published_on = d.published_on
    where c.persisted_at is not null
),
most as (
    select distinct on (capture_id) capture_id, week_ending, planned_on, published_on
    from capture
    where covers = 'all' and records > 0
    order by capture_id, records desc, published_on
)
select capture_id, week_ending, published_on from most where published_on <> planned_on;

update otc.capture as c set published_on = p.published_on from publication as p where p.capture_id = c.capture_id;

-- what was known when is to be worked out again
delete from otc_internal.venue_sum_history where week_ending in (select week_ending from publication);
delete from otc_internal.history_week where week_ending >= (select min(week_ending) from publication);
