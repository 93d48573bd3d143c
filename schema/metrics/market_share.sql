-- market_share: how much of all trading in NMS stocks is off exchange, by week and tape; and, of FINRA's records, how much is
-- of ATSs and of other firms.
-- All trading is from Cboe's files of market volume, in which the participants with a code D are the facilities that
-- off-exchange trades are reported to. FINRA's records name the tapes A and B together (product CTS) and tape C (UTP). They
-- are compared only where no trading day of the week is missing and both tiers of NMS stocks are loaded.
-- formula: off_exchange_share_pct = 100 x the shares of participants D* / the shares of all participants
-- reaches: 0, over stored rows only

-- name: table
create table if not exists otc.market_share (
    week_ending date not null,
    tape text collate "C" not null, -- A, B, AB for both, C, or ALL
    consolidated_volume numeric(30, 6) not null, -- shares
    off_exchange_volume numeric(30, 6) not null, -- shares
    off_exchange_share_pct numeric(7, 4), -- null without volume
    ats_volume numeric(30, 6), -- null where not known
    non_ats_volume numeric(30, 6),
    ats_share_pct numeric(9, 4), -- of consolidated_volume
    non_ats_share_pct numeric(9, 4),
    finra_difference_pct numeric(12, 4), -- FINRA's records less off_exchange_volume, of this
    days_present int not null,
    trading_days int not null,
    computed_at timestamptz not null default now(),
    primary key (week_ending, tape)
);

-- name: function
create or replace function otc.market_share_as_of(
    at timestamptz, first_week date default '-infinity', last_week date default 'infinity'
) returns setof otc.market_share language sql stable parallel safe as $$
with loaded as (
    select week_ending, tier, covers_all
    from otc.loaded_as_of(at)
    where week_ending between first_week and last_week and tier in ('T1', 'T2')
),
market as materialized (
    select
        otc_internal.week_of(v.day) as week_ending,
        tape.name as tape,
        sum(v.shares) as consolidated,
        coalesce(sum(v.shares) filter (where v.participant_code like 'D%'), 0) as off_exchange,
        count(distinct v.day)::int as days
    from otc.market_volume_as_of(at) as v
    cross join lateral (values (v.tape), (case when v.tape in ('A', 'B') then 'AB' end), ('ALL')) as tape (name)
    where
        v.day between first_week - 4 and last_week + 2
        and otc_internal.week_of(v.day) in (select l.week_ending from otc.loaded_as_of(at) as l)
        and tape.name is not null
    group by otc_internal.week_of(v.day), tape.name
),
week as ( -- in which the records can be compared
    select week_ending, bool_and(covers_all) as covers_all
    from loaded
    where week_ending in (select m.week_ending from market as m)
    group by week_ending
    having count(*) = 2
),
product as materialized ( -- one pass: a week has many records and few products
    select r.week_ending, r.venue_type, r.product_type, sum(r.share_volume) as volume
    from otc_internal.volume_record as r
    where
        at is null and r.closed_by is null and r.tier in ('T1', 'T2')
        and r.week_ending between first_week and last_week -- the index leads to a week
        and r.week_ending in (select w.week_ending from week as w)
        and exists (select from week)
    group by r.week_ending, r.venue_type, r.product_type
    union all
    select r.week_ending, r.venue_type, r.product_type, sum(r.share_volume)
    from week as w
    inner join otc.version_as_of(at, true) as r on r.week_ending = w.week_ending and r.tier in ('T1', 'T2')
    where at is not null
    group by r.week_ending, r.venue_type, r.product_type
),
traded as (
    select
        p.week_ending,
        tape.name as tape,
        coalesce(sum(p.volume) filter (where p.venue_type = 'ATS'), 0) as ats,
        coalesce(sum(p.volume) filter (where p.venue_type = 'NON_ATS'), 0) as non_ats
    from product as p
    cross join lateral (
        values ('ALL'), (case p.product_type when 'CTS' then 'AB' when 'UTP' then 'C' end)
    ) as tape (name)
    where tape.name is not null
    group by p.week_ending, tape.name
),
unknown as ( -- weeks in which the tape of some records is not known, as in files
    select distinct week_ending from product where product_type is null or product_type not in ('CTS', 'UTP')
),
compared as (
    select
        m.*,
        d.trading_days,
        case when is_known.ats then coalesce(t.ats, 0) end as ats,
        case when is_known.ats and w.covers_all then coalesce(t.non_ats, 0) end as non_ats
    from market as m
    inner join otc.trading_week as d on d.week_ending = m.week_ending
    left join week as w on w.week_ending = m.week_ending
    left join traded as t on t.week_ending = m.week_ending and t.tape = m.tape
    cross join lateral (
        select
            w.week_ending is not null and m.days = d.trading_days
            and (m.tape = 'ALL' or (m.tape in ('AB', 'C') and m.week_ending not in (select u.week_ending from unknown as u))) as ats
    ) as is_known
)
select
    week_ending,
    tape,
    consolidated,
    off_exchange,
    round(100 * off_exchange / nullif(consolidated, 0), 4),
    ats,
    non_ats,
    round(100 * ats / nullif(consolidated, 0), 4),
    round(100 * non_ats / nullif(consolidated, 0), 4),
    round(100 * (ats + non_ats - off_exchange) / nullif(off_exchange, 0), 4),
    days,
    trading_days,
    now()
from compared
$$;
