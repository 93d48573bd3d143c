-- What captures after a partition's first changed: each record's value before and after. A record that a capture closed
-- is paired with one of the same symbol that it opened, in passes over those left: by all labels (1; 2 and 3 without
-- those that a website file lacks), by equal quantities and fewer labels (4 to 8), by labels that no other record left
-- has (9 to 12). What is unique on both sides, as nearly all is, is paired before that without sorting. What a source
-- lacks is no change.
-- The planner expects a few rows of a partition that changed, and would look up each of 200,000 in turn; for one symbol it
-- is right.
create or replace function otc_internal.revisions(of_week date, of_symbol text, first_week date, last_week date)
returns table (
    week_ending date,
    tier text,
    observed_at timestamptz,
    capture_id bigint,
    days_late int,
    change text,
    symbol text,
    venue_name text,
    mpid text,
    firm_crd int,
    share_volume_before numeric(20, 6),
    share_volume_after numeric(20, 6),
    trade_count_before bigint,
    trade_count_after bigint,
    notional_before numeric(24, 6),
    notional_after numeric(24, 6),
    updated_on_before date,
    updated_on_after date,
    relabelled text[],
    mpid_before text,
    mpid_after text,
    firm_crd_before int,
    firm_crd_after int,
    venue_name_before text,
    venue_name_after text,
    issue_name_before text,
    issue_name_after text,
    product_type_before text,
    product_type_after text
) language plpgsql stable set work_mem to '128MB' set jit to off set enable_nestloop to on as $$
#variable_conflict use_column
declare
    weeks date[] := array(
        select distinct o.week_ending from otc.capture_order as o
        where
            not o.is_first and (of_week is null or o.week_ending = of_week)
            and (first_week is null or o.week_ending >= first_week) and (last_week is null or o.week_ending <= last_week)
    );
begin
perform set_config('enable_nestloop', (of_symbol is not null)::text, true);
return query
with recursive asked as (
    select
        *,
        bool_or(covers = 'ats') over (partition by week_ending, tier) as has_files,
        rank() over (order by week_ending, array_position(array['T1', 'T2', 'OTCE'], tier), observed_at) as turn
    from otc.capture_order
    where
        (of_week::date is null or week_ending = of_week)
        and (first_week::date is null or week_ending >= first_week)
        and (last_week::date is null or week_ending <= last_week)
        and otc.is_partition(week_ending, tier)
),
touched as (
    select
        r.*, c.capture_id, c.observed_at, c.covers, c.covers as capture_covers, c.has_files,
        c.published_on as partition_published_on, c.turn, true as is_opened
    from asked as c
    inner join otc.volume_record as r
        on r.opened_by = c.capture_id and r.week_ending = c.week_ending and r.tier = c.tier
    where
        r.week_ending = any (weeks) and not c.is_first and (r.venue_type = 'ATS' or not c.is_first_of_all)
        and (of_symbol::text is null or r.symbol = of_symbol)
    union all
    select r.*, c.capture_id, c.observed_at, before.covers, c.covers, c.has_files, c.published_on, c.turn, false
    from asked as c
    inner join otc.volume_record as r
        on r.closed_by = c.capture_id and r.week_ending = c.week_ending and r.tier = c.tier
    inner join otc.capture as before on before.capture_id = r.opened_by
    where r.week_ending = any (weeks) and not c.is_first and (of_symbol::text is null or r.symbol = of_symbol)
),
record as materialized (
    select
        row_number() over () as id,
        *,
        has_files and (is_opened or covers = 'ats' or capture_covers = 'ats') as is_of_file,
        hash_record_extended(row (capture_id, symbol, venue_type), 0) as place,
        hash_record_extended(row (capture_id, symbol, venue_type, share_volume, trade_count), 0) as quantities
    from touched
),
alike as materialized ( -- all labels are the same
    select min(id) filter (where is_opened) as opened, min(id) filter (where not is_opened) as closed
    from record
    group by place, hash_record_extended(row (mpid, firm_crd, issue_name_id, venue_name_id, product_type), 0)
    having count(*) = 2 and bool_or(is_opened) and not bool_and(is_opened)
),
unlike as (
    select r.id, r.is_opened, r.is_of_file, r.place, r.quantities, r.mpid, r.firm_crd, r.issue_name_id, r.venue_name_id,
        r.product_type, r.share_volume, r.trade_count
    from record as r
    where r.id not in (select opened from alike union all select closed from alike)
),
same_venue as materialized ( -- equal quantities of one venue
    select min(id) filter (where is_opened) as opened, min(id) filter (where not is_opened) as closed
    from unlike
    where coalesce(mpid, firm_crd::text) is not null and not is_of_file
    group by quantities, coalesce(mpid, firm_crd::text)
    having count(*) = 2 and bool_or(is_opened) and not bool_and(is_opened)
),
left_over as materialized (
    select * from unlike
    where id not in (select opened from same_venue union all select closed from same_venue)
),
renumbered as materialized ( -- equal quantities of one name
    select min(id) filter (where is_opened) as opened, min(id) filter (where not is_opened) as closed
    from left_over
    where venue_name_id is not null and not is_of_file
    group by quantities, venue_name_id
    having count(*) = 2 and bool_or(is_opened) and not bool_and(is_opened)
),
unique_pair as (
    select * from alike
    union all
    select * from same_venue
    union all
    select * from renumbered
),
paired as (
    select
        0 as pass, id, is_opened, is_of_file, place, quantities, mpid, firm_crd, issue_name_id, venue_name_id, product_type,
        share_volume, trade_count, true as has_both, null::bigint as partner
    from left_over
    where id not in (select opened from renumbered union all select closed from renumbered)
    union all
    select
        pass, id, is_opened, is_of_file, place, quantities, mpid, firm_crd, issue_name_id, venue_name_id, product_type,
        share_volume, trade_count,
        min(is_opened::int) over () < max(is_opened::int) over () as has_both,
        case
            when key is not null and count(*) over same = 2
                and (pass < 8 or max(records) over same = 1)
                and (pass <> 8 or bool_or(mpid is null and firm_crd is null) over same)
                then (sum(id) over same)::bigint - id
        end as partner
    from (
        select
            *,
            row_number() over side as number,
            count(*) over (partition by key, is_opened) as records
        from (
            select
                p.pass + 1 as pass, p.id, p.is_opened, p.is_of_file, p.place, p.quantities, p.mpid, p.firm_crd,
                p.issue_name_id, p.venue_name_id, p.product_type, p.share_volume, p.trade_count,
                case p.pass + 1
                    when 1 then hash_record_extended(
                        row (p.place, p.mpid, p.firm_crd, p.issue_name_id, p.venue_name_id, p.product_type), 0
                    )
                    when 2 then case when p.is_of_file then
                        hash_record_extended(row (p.quantities, p.mpid, p.issue_name_id, p.venue_name_id), 0)
                    end
                    when 3 then case when p.is_of_file then
                        hash_record_extended(row (p.place, p.mpid, p.issue_name_id, p.venue_name_id), 0)
                    end
                    when 4 then hash_record_extended(
                        row (p.quantities, coalesce(p.mpid, p.firm_crd::text), p.issue_name_id, p.product_type), 0
                    )
                    when 5 then case when coalesce(p.mpid, p.firm_crd::text) is not null then
                        hash_record_extended(row (p.quantities, coalesce(p.mpid, p.firm_crd::text)), 0)
                    end
                    when 6 then case when p.firm_crd is not null then
                        hash_record_extended(row (p.quantities, p.firm_crd), 0)
                    end
                    when 7 then case when p.venue_name_id is not null then
                        hash_record_extended(row (p.quantities, p.venue_name_id), 0)
                    end
                    when 8 then p.quantities
                    when 9 then hash_record_extended(
                        row (p.place, p.mpid, p.firm_crd, p.issue_name_id, p.product_type), 0
                    )
                    when 10 then case when p.mpid is not null then hash_record_extended(row (p.place, p.mpid), 0) end
                    when 11 then case when p.firm_crd is not null then hash_record_extended(row (p.place, p.firm_crd), 0) end
                    when 12 then case when p.venue_name_id is not null then
                        hash_record_extended(row (p.place, p.venue_name_id), 0)
                    end
                end as key
            from paired as p
            where p.partner is null and p.has_both and p.pass < 12
        ) as keyed
        window side as (
            partition by key, is_opened
            order by
                product_type, mpid, firm_crd, issue_name_id, venue_name_id, share_volume, trade_count
        )
    ) as numbered
    window same as (partition by key, number)
),
pair as (
    select opened, closed from unique_pair
    union all
    select id, partner from paired where is_opened and partner is not null
),
compared as (
    select
        coalesce(o.week_ending, c.week_ending) as week_ending,
        coalesce(o.tier, c.tier) as tier,
        coalesce(o.observed_at, c.observed_at) as observed_at,
        coalesce(o.capture_id, c.capture_id) as capture_id,
        coalesce(o.turn, c.turn) as turn,
        coalesce(o.published_on, c.published_on, o.partition_published_on, c.partition_published_on) as published_on,
        o.id is null as is_withdrawn,
        c.id is null as is_added,
        coalesce(o.symbol, c.symbol) as symbol,
        c.share_volume as share_volume_before,
        o.share_volume as share_volume_after,
        c.trade_count as trade_count_before,
        o.trade_count as trade_count_after,
        c.notional as notional_before,
        o.notional as notional_after,
        c.updated_on as updated_on_before,
        o.updated_on as updated_on_after,
        c.mpid as mpid_before,
        o.mpid as mpid_after,
        c.firm_crd as firm_crd_before,
        o.firm_crd as firm_crd_after,
        c.venue_name_id as venue_name_id_before,
        o.venue_name_id as venue_name_id_after,
        c.issue_name_id as issue_name_id_before,
        o.issue_name_id as issue_name_id_after,
        c.product_type as product_type_before,
        o.product_type as product_type_after,
        case when o.id is not null and c.id is not null then array_remove(array[
            case when o.mpid is distinct from c.mpid then 'mpid' end,
            case when k.covers_all and o.firm_crd is distinct from c.firm_crd then 'firm_crd' end,
            case when o.venue_name_id is distinct from c.venue_name_id then 'venue_name' end,
            case when o.issue_name_id is distinct from c.issue_name_id then 'issue_name' end,
            case when k.covers_all and o.product_type is distinct from c.product_type then 'product_type' end
        ], null) else '{}' end as relabelled,
        (o.share_volume, o.trade_count) is distinct from (c.share_volume, c.trade_count)
        or (k.covers_all and o.notional is distinct from c.notional) as is_changed,
        o.updated_on is distinct from c.updated_on
        or (k.covers_all and o.published_on is distinct from c.published_on) as is_redated
    from (select * from record where is_opened) as o
    left join pair as p on p.opened = o.id
    full join (select * from record where not is_opened) as c on c.id = p.closed
    cross join lateral (select o.covers = 'all' and c.covers = 'all' as covers_all) as k
)
select
    c.week_ending,
    c.tier,
    c.observed_at,
    c.capture_id,
    (c.observed_at at time zone 'America/New_York')::date - c.published_on as days_late,
    case
        when c.is_added then 'added'
        when c.is_withdrawn then 'withdrawn'
        when c.relabelled <> '{}' and not c.is_changed then 'relabelled'
        else 'changed'
    end as change,
    c.symbol,
    coalesce(new_venue.name, old_venue.name) as venue_name,
    coalesce(c.mpid_after, c.mpid_before) as mpid,
    coalesce(c.firm_crd_after, c.firm_crd_before) as firm_crd,
    c.share_volume_before,
    c.share_volume_after,
    c.trade_count_before,
    c.trade_count_after,
    c.notional_before,
    c.notional_after,
    c.updated_on_before,
    c.updated_on_after,
    c.relabelled, -- the labels that differ, by name
    c.mpid_before,
    c.mpid_after,
    c.firm_crd_before,
    c.firm_crd_after,
    old_venue.name as venue_name_before,
    new_venue.name as venue_name_after,
    old_issue.name as issue_name_before,
    new_issue.name as issue_name_after,
    c.product_type_before,
    c.product_type_after
from compared as c
left join otc_internal.name as old_venue on old_venue.name_id = c.venue_name_id_before
left join otc_internal.name as new_venue on new_venue.name_id = c.venue_name_id_after
left join otc_internal.name as old_issue on old_issue.name_id = c.issue_name_id_before
left join otc_internal.name as new_issue on new_issue.name_id = c.issue_name_id_after
where c.is_added or c.is_withdrawn or c.is_changed or c.is_redated or c.relabelled <> '{}'
order by
    c.turn, c.symbol,
    coalesce(new_venue.name, old_venue.name), mpid, firm_crd, c.share_volume_after, c.share_volume_before,
    c.trade_count_after, c.trade_count_before;
end
$$;

-- What an observation changed in the metrics of a symbol, by their histories: a list of metric, week, tier and scope, with
-- the columns that differ as [before, after], or "appeared" or "gone".
create or replace function otc_internal.effect_on(of_symbol text, moment timestamptz, first_week date)
returns jsonb language plpgsql stable as $$
declare
    metric text;
    weeks date[];
    part jsonb;
    effects jsonb := '[]';
begin
    for metric in
        select distinct w.metric from otc_internal.history_week as w
        inner join pg_attribute as a on a.attrelid = format('otc.%I', w.metric)::regclass and a.attname = 'symbol'
        order by 1
    loop
        weeks := otc_internal.weeks_changed_at(metric, moment, first_week, 'infinity');
        continue when weeks = '{}';
        execute format(
            $query$
            with before as (
                select to_jsonb(h) - $4 as row from otc.%1$I as h
                where symbol = $1 and known_until = $2 and week_ending = any ($3)
            ),
            after as (
                select to_jsonb(h) - $4 as row from otc.%1$I as h
                where symbol = $1 and known_from = $2 and week_ending = any ($3)
            )
            select jsonb_agg(jsonb_build_object(
                'metric', %2$L, 'week_ending', p.week_ending, 'tier', p.tier, 'scope', p.scope, 'changes',
                case
                    when b.row is null then to_jsonb('appeared'::text)
                    when a.row is null then to_jsonb('gone'::text)
                    else otc_internal.differences(b.row, a.row)
                end
            ) order by p.week_ending, p.tier, p.scope)
            from before as b
            full join after as a
                on a.row ->> 'week_ending' = b.row ->> 'week_ending'
                and coalesce(a.row ->> 'scope', '') = coalesce(b.row ->> 'scope', '')
                and coalesce(a.row ->> 'source', '') = coalesce(b.row ->> 'source', '')
                and coalesce(a.row ->> 'tier', '') = coalesce(b.row ->> 'tier', '')
            cross join lateral jsonb_to_record(coalesce(a.row, b.row)) as p (week_ending date, tier text, scope text)
            where a.row is distinct from b.row
            $query$,
            metric || '_history', metric
        ) into part using of_symbol, moment, weeks,
            array['known_from', 'known_until', 'certainty', 'opened_by', 'closed_by', 'symbol'];
        effects := effects || coalesce(part, '[]');
    end loop;
    return effects;
end
$$;

-- The ledger of restatements: only the weeks that are asked for are compared, of those with several captures of a tier.
-- `effect` is computed for the rows that are read, and only if it is selected.
create or replace view otc.restatement as
select
    w.week_ending,
    r.tier,
    r.symbol,
    coalesce(r.mpid, r.firm_crd::text, r.venue_name) as venue,
    r.mpid,
    r.firm_crd,
    r.venue_name,
    r.change,
    r.share_volume_before,
    r.share_volume_after,
    r.trade_count_before,
    r.trade_count_after,
    r.notional_before,
    r.notional_after,
    r.relabelled,
    r.observed_at,
    r.days_late,
    r.capture_id,
    otc_internal.effect_on(r.symbol, r.observed_at, w.week_ending) as effect
from (
    select c.week_ending
    from otc.capture as c
    group by c.week_ending
    having count(*) > count(distinct c.tier)
) as w
cross join lateral otc_internal.revisions(w.week_ending, null, null, null) as r;

-- Removed: it has no bounds of weeks.
drop function if exists otc_internal.revisions(date, text);
