-- What a person decided. Each decision is an object in S3 first; this table is a copy of those objects.
create table otc.decision (
    decision_id text primary key, -- the digest in its object's key
    kind text not null check (kind in ('accept', 'withdraw', 'restore', 'want')),
    week_ending date not null,
    tier text collate "C" not null check (tier in ('T1', 'T2', 'OTCE')),
    subject text not null, -- accept: the content's digest; withdraw and restore: the observation's key; want: empty
    reason text not null,
    grade text, -- accept: what the partition's content was graded when it was accepted
    score int,
    decided_at timestamptz not null -- the client's clock
);
create index decision_subject on otc.decision (subject, kind);
comment on table otc.decision is
'accept: metrics are computed although the grade is F; withdraw: a capture counts in no answer; restore: it counts '
'again; want: the first week that is wanted of a tier';

insert into otc.decision (decision_id, kind, week_ending, tier, subject, reason, grade, score, decided_at)
select
    encode(sha256(convert_to(concat_ws(' ', 'accept', week_ending, tier, digest, accepted_at), 'UTF8')), 'hex'),
    'accept', week_ending, tier, digest, reason, grade, score, accepted_at
from otc.acceptance;

insert into otc.decision (decision_id, kind, week_ending, tier, subject, reason, decided_at)
select
    encode(sha256(convert_to(concat_ws(' ', 'want', min(week_ending), tier), 'UTF8')), 'hex'),
    'want', min(week_ending), tier, '', 'requested', min(queued_at)
from otc.stage_run
where stage = 'fetch'
group by tier;

alter table otc.capture add column is_withdrawn boolean not null default false;
comment on column otc.capture.is_withdrawn is 'by the newest decision about it: it counts in no answer';

-- The grade of every capture, beside what it was graded by: measures of the records that were current once it was in.
create table otc.capture_quality (
    capture_id bigint primary key,
    week_ending date not null,
    tier text collate "C" not null,
    digest text not null, -- the content's, which an acceptance is for
    grade text not null check (grade in ('A', 'B', 'C', 'D', 'F')),
    score int not null check (score between 0 and 100),
    reasons text[] not null,
    covers_all boolean not null, -- both venue types
    rows bigint not null, -- of the capture: records, totals and rejects
    rejects bigint not null,
    unreconciled int, -- symbols and firms that do not add up; null where there are no totals
    records bigint not null, -- current ones
    symbols bigint not null,
    volume numeric not null, -- shares
    ats_volume numeric not null,
    venues text[] not null, -- MPIDs of the ATSs: firms that are no ATS come and go with their size
    doubled_symbols bigint not null, -- with more than one issue name
    zero_records bigint not null, -- without shares, trades or dollars
    judged_at timestamptz not null
);
create index capture_quality_week on otc.capture_quality (tier, week_ending);
insert into otc.capture_quality
select
    capture_id, week_ending, tier, digest, grade, score, reasons, covers_all, rows, rejects, unreconciled,
    records, symbols, volume, ats_volume, venues, doubled_symbols, zero_records, judged_at
from otc.weekly_quality;

-- Partitions whose newest capture has grade F and is not accepted: no metric is computed from them.
create or replace view otc.held_partition as
select q.week_ending, q.tier
from otc.capture_quality as q
inner join otc.capture as c on c.capture_id = q.capture_id
where
    q.grade = 'F'
    and c.persisted_at is not null
    and not exists (
        select from otc.capture as later
        where
            later.week_ending = c.week_ending and later.tier = c.tier and later.persisted_at is not null
            and (later.observed_at, later.fetched_key) > (c.observed_at, c.fetched_key)
    )
    and not exists (
        select from otc.decision as d
        where d.kind = 'accept' and d.week_ending = q.week_ending and d.tier = q.tier and d.subject = q.digest
    );

drop table otc.acceptance;
create view otc.acceptance as
select distinct on (week_ending, tier, subject)
    week_ending, tier, subject as digest, reason, grade, score, decided_at as accepted_at
from otc.decision
where kind = 'accept'
order by week_ending, tier, subject, decided_at, decision_id;

drop table otc.weekly_quality;
create view otc.weekly_quality as
select distinct on (q.week_ending, q.tier) q.*
from otc.capture_quality as q
inner join otc.capture as c on c.capture_id = q.capture_id
where c.persisted_at is not null
order by q.week_ending, q.tier, c.observed_at desc, c.fetched_key desc;
