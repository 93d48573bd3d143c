-- Tables, types and views: in `otc` what analysts query, in `otc_internal` what only otcpipe uses. Functions are in
-- schema/functions, the table and the function of each metric in schema/metrics.

create table otc.capture (
    capture_id bigint primary key, -- made of fetched_key: the same after a restore or a rebuild
    week_ending date not null,
    tier text collate "C" not null check (tier in ('T1', 'T2', 'OTCE')),
    source text not null check (source in ('api', 'file')),
    covers text not null check (covers in ('all', 'ats')), -- ats: rows of ATSs only, without some columns
    fetched_key text not null unique, -- the observation: a message that is delivered twice makes one capture
    raw_key text not null,
    digest text not null, -- SHA-256 of the uncompressed bytes
    observed_at timestamptz not null, -- the client's clock
    published_on date not null, -- first publication of the partition: by the calendar, until its rows are stored
    record_total bigint, -- number of rows that the server announced
    pages int,
    request_ids text[] not null default '{}',
    added_columns text[] not null default '{}', -- columns that FINRA's documents do not name
    reconciled boolean, -- firm rows add up to the published totals; null without totals
    unreconciled text[], -- symbols and firms whose rows do not add up
    normalized_key text, -- set with the counts once the capture is persisted
    rows bigint check (rows = records + totals + rejects and (record_total is null or rows = record_total)),
    records bigint,
    totals bigint,
    rejects bigint,
    persisted_at timestamptz, -- null while its records do not count
    is_withdrawn boolean not null default false,
    newest_update date -- the newest update date among its rows; null for captures of older releases
);
create index capture_partition on otc.capture (week_ending, tier, observed_at, fetched_key);
create index capture_raw_key on otc.capture (raw_key);

comment on column otc.capture.is_withdrawn is 'by the newest decision about it: it counts in no answer';

create constraint trigger capture_versions_do_not_overlap
after update of persisted_at, normalized_key on otc.capture
deferrable initially deferred for each row
when (new.normalized_key is not null)
execute function otc_internal.forbid_overlap();

-- Names of issues and venues, which are long and repeat every week.
create table otc_internal.name (
    name_id int generated always as identity primary key,
    name text collate "C" not null unique
);

-- Versions of records. A version is current until a capture closes it; nothing else in it changes.
create table otc_internal.volume_record (
    week_ending date not null,
    opened_by bigint not null, -- capture
    closed_by bigint, -- capture; null while current
    share_volume numeric(20, 6) not null,
    trade_count bigint not null,
    notional numeric(24, 6),
    published_on date,
    updated_on date,
    issue_name_id int,
    venue_name_id int,
    firm_crd int,
    tier text collate "C" not null,
    venue_type text collate "C" not null check (venue_type in ('ATS', 'NON_ATS')),
    symbol text collate "C", -- may be null: such a record counts for its venue and in no metric by symbol
    product_type text collate "C",
    mpid text collate "C",
    -- A capture that closes its own records ran its persist stage twice.
    constraint volume_record_is_open_for_a_while check (closed_by <> opened_by)
) partition by range (week_ending);

-- The venue's name is part of a record's identity: a firm that is renamed within a period has two rows in one week.
create unique index volume_record_current on otc_internal.volume_record
    (week_ending, tier, symbol, mpid, firm_crd, issue_name_id, product_type, venue_type, venue_name_id)
    nulls not distinct where closed_by is null;

-- A capture closes one version of a record at most.
create unique index volume_record_closed on otc_internal.volume_record
    (week_ending, tier, symbol, mpid, firm_crd, issue_name_id, product_type, venue_type, venue_name_id, closed_by)
    nulls not distinct where closed_by is not null;

-- The versions of records for analysts. brought_by and ended_by are the former names of opened_by and closed_by.
create view otc.volume_record as
select
    week_ending,
    opened_by as brought_by,
    closed_by as ended_by,
    share_volume,
    trade_count,
    notional,
    published_on,
    updated_on,
    issue_name_id,
    venue_name_id,
    firm_crd,
    tier,
    venue_type,
    symbol,
    product_type,
    mpid,
    opened_by,
    closed_by
from otc_internal.volume_record;

-- PostgreSQL 18 finds a symbol in an index that begins with the week and the tier: it skips from one to the next. Older
-- servers need an index of its own, which costs a quarter of the time of persisting and a third of the space.
do $$
begin
    if current_setting('server_version_num')::int < 180000 then
        create index volume_record_symbol on otc_internal.volume_record (symbol, week_ending);
    end if;
end
$$;

-- Rows of a raw object that are not records, by line. Where a capture has more rejects than are kept one by one, a last
-- row counts the others.
create table otc.reject (
    raw_key text not null,
    line int not null,
    week_ending date not null,
    tier text collate "C" not null,
    reason text not null,
    text text not null,
    symbol text collate "C", -- null where it cannot be determined
    lines int not null default 1, -- number of lines that the row represents
    primary key (raw_key, line)
);
create index reject_symbol on otc.reject (week_ending, symbol) where symbol is not null;

-- The ledger: one row for a stage, key and generation.
create table otc.stage_run (
    stage text not null,
    key text not null,
    generation bigint not null default 0, -- the capture, from the parse stage on
    week_ending date not null,
    tier text collate "C" not null,
    state text not null check (state in ('queued', 'running', 'done', 'failed', 'held')),
    request text, -- identity of a request to run again; null in the normal course
    is_last boolean not null default false, -- requested with --only: no stage follows
    code_version int not null,
    attempts int not null default 0,
    unended int not null default 0, -- consecutive claims that neither finished nor failed: their worker died
    worker uuid, -- token of the claim
    lease_until timestamptz, -- a claim that is not renewed is void
    queued_at timestamptz not null default now(),
    started_at timestamptz,
    finished_at timestamptz,
    output_key text,
    output_generation bigint,
    counts jsonb not null default '{}',
    reason text, -- of the last failure
    primary key (stage, key, generation)
);
create index stage_run_partition on otc.stage_run (week_ending, tier);
create index stage_run_output on otc.stage_run (output_key);

-- Dead messages: what was requested, why it failed, and what became of it.
create table otc.dead_letter (
    letter_id bigint generated always as identity primary key,
    redis_message_id text not null unique, -- a death is recorded once, however often it is reported
    queue text not null,
    actor text, -- null where the message cannot be read
    stage text, -- this and the next seven are null where the message is no run of a stage
    key text,
    generation bigint,
    week_ending date,
    tier text collate "C",
    request text,
    is_last boolean,
    code_version int,
    message bytea not null, -- as it was enqueued
    error_class text not null,
    reason text not null,
    traceback text,
    attempts int not null,
    first_at timestamptz, -- sent, by the sender's clock
    last_at timestamptz not null, -- died, by the worker's clock
    replayed_at timestamptz,
    resolved_at timestamptz -- the run succeeded later, replayed or requested again
);
create index dead_letter_run on otc.dead_letter (stage, key, generation) where resolved_at is null;

create view otc.letter as
select
    d.*,
    case
        when d.resolved_at is not null then 'resolved'
        when d.replayed_at is not null then 'replayed'
        else 'open'
    end as state
from otc.dead_letter as d;

-- Decisions of people. Each is an object in S3 first; this table is a copy of those objects.
create table otc_internal.decision (
    decision_id text primary key, -- the digest in its object's key
    kind text not null check (kind in ('accept', 'withdraw', 'restore', 'want')),
    week_ending date not null,
    tier text collate "C" not null check (tier in ('T1', 'T2', 'OTCE')),
    subject text not null, -- accept: the content's digest; withdraw and restore: the observation's key; want: empty
    reason text not null,
    grade text, -- accept: the grade of the content when it was accepted
    score int,
    decided_at timestamptz not null -- the client's clock
);
create index decision_subject on otc_internal.decision (subject, kind);
comment on table otc_internal.decision is
'accept: metrics are computed although the grade is F; withdraw: a capture counts in no answer; restore: it counts '
'again; want: the first week that is wanted of a tier';

create view otc.quality_override as
select distinct on (week_ending, tier, subject)
    week_ending, tier, subject as digest, reason, grade, score, decided_at as accepted_at
from otc_internal.decision
where kind = 'accept'
order by week_ending, tier, subject, decided_at, decision_id;

-- The former name of otc.quality_override.
create view otc.acceptance as
select week_ending, tier, digest, reason, grade, score, accepted_at from otc.quality_override;

-- The grade of each capture, and what it was graded by: measures of the records that were current after it.
create table otc.capture_quality (
    capture_id bigint primary key,
    week_ending date not null,
    tier text collate "C" not null,
    digest text not null, -- of the content: an acceptance refers to it
    grade text not null check (grade in ('A', 'B', 'C', 'D', 'F')),
    score int not null check (score between 0 and 100),
    reasons text[] not null,
    covers_all boolean not null, -- both venue types
    rows bigint not null, -- of the capture: records, totals and rejects
    rejects bigint not null,
    unreconciled int, -- symbols and firms that do not add up; null without totals
    records bigint not null, -- current ones
    symbols bigint not null,
    volume numeric not null, -- shares
    ats_volume numeric not null,
    venues text[] not null, -- MPIDs of the ATSs: other firms appear and disappear with their size
    doubled_symbols bigint not null, -- with more than one issue name
    zero_records bigint not null, -- without shares, trades or dollars
    judged_at timestamptz not null
);
create index capture_quality_week on otc.capture_quality (tier, week_ending);

-- The grade of the newest capture of each partition.
create view otc.weekly_quality as
select distinct on (q.week_ending, q.tier) q.*
from otc.capture_quality as q
inner join otc.capture as c on c.capture_id = q.capture_id
where c.persisted_at is not null
order by q.week_ending, q.tier, c.observed_at desc, c.fetched_key desc;

-- Partitions whose newest capture has grade F and is not accepted: no metric is computed from them.
create view otc.held_partition as
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
        select from otc_internal.decision as d
        where d.kind = 'accept' and d.week_ending = q.week_ending and d.tier = q.tier and d.subject = q.digest
    );

-- Partitions whose records count, and whether they cover both venue types.
create view otc.loaded_partition as
select week_ending, tier, bool_or(covers = 'all') as covers_all
from otc.capture
where persisted_at is not null and (week_ending, tier) not in (select h.week_ending, h.tier from otc.held_partition as h)
group by week_ending, tier;

-- What the scheduler did: a job runs once for each time that it is due, by the process that inserts the row.
create table otc_internal.schedule_fire (
    job text not null,
    scheduled_for timestamptz not null,
    fired_at timestamptz not null default now(), -- the database's clock, of the newest attempt
    finished_at timestamptz, -- null while it runs, or where its process died
    outcome text,
    primary key (job, scheduled_for)
);

-- Metrics that are due.
create table otc_internal.metric_due (
    week_ending date not null,
    metric text not null,
    over_stored boolean not null default false,
    primary key (week_ending, metric, over_stored) -- both may be due: adding rows waits for no lock of the other kind
);
comment on column otc_internal.metric_due.over_stored is 'over the stored rows of this week and of earlier ones; else from the records';

-- Trading sessions of a week, by the calendar at its first capture.
create table otc.trading_week (
    week_ending date primary key,
    trading_days int not null, -- of the NYSE, half days included
    half_days int not null
);

-- Sums that the computation of a week commits, so that its metrics can be stored in parallel.
create unlogged table otc_internal.symbol_sum (
    week_ending date not null,
    tier text collate "C", -- null in the row of all tiers of a symbol that is on several
    symbol text collate "C" not null,
    scope text not null,
    is_all_tiers boolean not null, -- all tiers, or the only one
    volume numeric not null,
    trades bigint not null,
    notional numeric, -- null where a record lacks it
    venue_count int not null, -- named venues
    ats_volume numeric not null,
    de_minimis numeric not null, -- volume of unnamed firms
    -- of named venues, in the row of all tiers:
    squares numeric not null, -- the sum of their squared volumes
    top numeric[] -- the volumes of the three largest, in descending order
);
create unlogged table otc_internal.venue_sum (
    week_ending date not null,
    tier text collate "C" not null,
    venue_type text collate "C" not null,
    mpid text collate "C",
    firm_crd int,
    venue_name_id int, -- a venue nearly always has one
    is_named boolean not null, -- not de minimis
    volume numeric not null,
    trades bigint not null,
    symbols_on_tier bigint not null, -- number of the tier's symbols that it traded
    symbols bigint not null -- those that it traded on no earlier tier: the sum over tiers is the number of its symbols
);

-- Captures in the order of observation, and whether they are the first to cover a kind of row.
create view otc.capture_order as
select
    capture_id,
    week_ending,
    tier,
    covers,
    observed_at,
    published_on,
    raw_key,
    row_number() over by_partition = 1 as is_first, -- of any ATS row
    covers = 'all' and row_number() over (partition by week_ending, tier, covers order by observed_at, fetched_key) = 1
    as is_first_of_all -- of any other row
from otc.capture
where persisted_at is not null
window by_partition as (partition by week_ending, tier order by observed_at, fetched_key);

-- The current records.
create view otc.venue_volume as
select
    r.week_ending,
    r.tier,
    r.venue_type,
    r.symbol,
    issue.name as issue_name,
    r.product_type,
    r.mpid,
    r.firm_crd,
    venue.name as venue_name,
    r.share_volume,
    r.trade_count,
    r.notional,
    r.published_on,
    r.updated_on,
    round(r.share_volume / nullif(r.trade_count, 0), 6)::numeric(20, 6) as avg_trade_size, -- shares a trade
    c.observed_at,
    c.raw_key
from otc_internal.volume_record as r
inner join otc.capture as c on c.capture_id = r.opened_by
left join otc_internal.name as issue on issue.name_id = r.issue_name_id
left join otc_internal.name as venue on venue.name_id = r.venue_name_id
where r.closed_by is null;

-- All versions of all records, and the time from which and until which each was known. A restated row of the first
-- capture is `known_from` its publication, but its value is `available_at` its observation.
create view otc.version as
select
    v.*,
    otc.certainty(v.is_first, v.first_published_on, v.updated_on, v.observed_at) as certainty,
    case
        when not v.is_first then v.observed_at
        when v.updated_on is distinct from v.first_published_on then v.observed_at
        else least(v.observed_at, otc.published_at(v.first_published_on))
    end as available_at,
    case when v.is_first then least(v.observed_at, otc.published_at(v.first_published_on)) else v.observed_at end
    as known_from,
    v.opened_by as brought_by, -- this and the next two are former names
    v.closed_by as ended_by,
    v.closed_at as ended_at
from (
    select
        r.*,
        c.observed_at,
        c.raw_key,
        c.covers,
        case when r.venue_type = 'ATS' then c.is_first else c.is_first_of_all end as is_first,
        coalesce(r.published_on, c.published_on) as first_published_on,
        e.observed_at as closed_at
    from otc_internal.volume_record as r
    inner join otc.capture_order as c
        on c.capture_id = r.opened_by and c.week_ending = r.week_ending and c.tier = r.tier
    left join otc.capture as e on e.capture_id = r.closed_by
) as v;

-- Types of functions' rows: a column of `returns table` has no collation, and without it no index serves a condition.
create type otc.known_record as (
    week_ending date,
    tier text collate "C",
    venue_type text collate "C",
    symbol text collate "C",
    issue_name text collate "C",
    product_type text collate "C",
    mpid text collate "C",
    firm_crd int,
    venue_name text collate "C",
    share_volume numeric,
    trade_count bigint,
    notional numeric,
    published_on date,
    updated_on date,
    avg_trade_size numeric,
    observed_at timestamptz,
    raw_key text,
    certainty text,
    available_at timestamptz
);

create type otc.loaded as (week_ending date, tier text collate "C", covers_all boolean);

create type otc_internal.counting_record as (
    week_ending date,
    tier text collate "C",
    symbol text collate "C",
    mpid text collate "C",
    firm_crd int,
    venue_type text collate "C",
    issue_name_id int,
    venue_name_id int,
    share_volume numeric,
    trade_count bigint,
    notional numeric
);

create type otc_internal.week_symbol as (week_ending date, symbol text collate "C");

create type otc_internal.counted as (
    week_ending date,
    tier text collate "C",
    symbol text collate "C",
    mpid text collate "C",
    firm_crd int,
    venue_type text collate "C",
    venue_name_id int,
    unnumbered int, -- the name of a venue without a number
    is_named boolean, -- not de minimis
    covers_all boolean, -- the partition covers both venue types
    volume numeric,
    trades bigint,
    notional numeric
);

create type otc_internal.traded as (
    week_ending date,
    tier text collate "C",
    is_all_tiers boolean,
    symbol text collate "C",
    mpid text collate "C",
    firm_crd int,
    is_ats boolean,
    venue_name_id int,
    is_named boolean,
    covers_all boolean,
    volume numeric,
    trades bigint,
    notional numeric,
    is_venue boolean,
    is_first boolean,
    venue_volume numeric
);
