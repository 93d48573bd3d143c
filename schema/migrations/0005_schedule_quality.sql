-- What the scheduler did, and how good each partition looks.

-- A job is done once for each time that it is due: who gets the row does it.
create table otc.schedule_fire (
    job text not null,
    scheduled_for timestamptz not null,
    fired_at timestamptz not null default now(), -- the database's clock, of the newest attempt
    finished_at timestamptz, -- null while under way, or where its process died
    told text, -- what came of it
    primary key (job, scheduled_for)
);

-- The newest judgement of each partition, over its current records; made with them, before anything is computed.
create table otc.weekly_quality (
    week_ending date not null,
    tier text collate "C" not null,
    capture_id bigint not null, -- the newest that is in
    digest text not null, -- its content's, which an acceptance is for
    grade text not null check (grade in ('A', 'B', 'C', 'D', 'F')),
    score int not null check (score between 0 and 100),
    reasons text[] not null,
    covers_all boolean not null, -- both venue types
    rows bigint not null, -- of the newest capture: records, totals and rejects
    rejects bigint not null,
    unreconciled int, -- symbols and firms that do not add up; null where there are no totals
    records bigint not null, -- the current ones
    symbols bigint not null,
    volume numeric not null, -- shares
    ats_volume numeric not null,
    venues text[] not null, -- MPIDs of the ATSs: firms that are no ATS come and go with their size
    doubled_symbols bigint not null, -- with more than one issue name
    zero_records bigint not null, -- without shares, trades or, where it is told, dollars
    judged_at timestamptz not null,
    primary key (week_ending, tier)
);

-- Who took a partition as it is, and why.
create table otc.acceptance (
    week_ending date not null,
    tier text collate "C" not null,
    digest text not null,
    reason text not null check (reason <> ''),
    grade text not null,
    score int not null,
    accepted_at timestamptz not null,
    primary key (week_ending, tier, digest)
);

-- Partitions of grade F that nobody has accepted: no metric is computed from them.
create view otc.held_partition as
select week_ending, tier
from otc.weekly_quality as q
where
    grade = 'F'
    and not exists (
        select from otc.acceptance as a
        where a.week_ending = q.week_ending and a.tier = q.tier and a.digest = q.digest
    );

create or replace view otc.loaded_partition as
select week_ending, tier, bool_or(covers = 'all') as covers_all
from otc.capture
where persisted_at is not null and (week_ending, tier) not in (select h.week_ending, h.tier from otc.held_partition as h)
group by week_ending, tier;
