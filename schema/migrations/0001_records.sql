-- Captures, their records and rejects, and the ledger of stage runs.
create schema if not exists otc;

create table otc.capture (
    capture_id bigint generated always as identity primary key,
    week_ending date not null,
    tier text collate "C" not null check (tier in ('T1', 'T2', 'OTCE')),
    source text not null check (source in ('api', 'file')),
    covers text not null check (covers in ('all', 'ats')), -- ats: ATS firm rows only, some columns lacking
    fetched_key text not null unique, -- the observation itself: a message given twice is one capture
    raw_key text not null,
    digest text not null, -- SHA-256 of the uncompressed bytes
    observed_at timestamptz not null, -- the client's clock
    published_on date not null, -- the calendar's day of the partition's first publication
    record_total bigint, -- what the server said that there is
    pages int,
    request_ids text[] not null default '{}',
    added_columns text[] not null default '{}', -- that the feed's documents do not know
    reconciled boolean, -- firm rows add up to the published totals; null where there are none
    unreconciled text[], -- the symbols and firms that do not
    normalized_key text, -- set with the counts when the capture's records are in
    rows bigint check (rows = records + totals + rejects and (record_total is null or rows = record_total)),
    records bigint,
    totals bigint,
    rejects bigint,
    persisted_at timestamptz
);
create index capture_partition on otc.capture (week_ending, tier, observed_at, fetched_key);
create index capture_raw_key on otc.capture (raw_key);

-- Issue and venue names are long and repeat every week: each stands once.
create table otc.name (
    name_id int generated always as identity primary key,
    name text collate "C" not null unique
);

-- Revisions of records. A row is current until a capture ends it; nothing else of it ever changes.
create table otc.volume_record (
    week_ending date not null,
    brought_by bigint not null, -- capture
    ended_by bigint, -- capture; null while current
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
    symbol text collate "C", -- null is real: it counts for its venue and in no symbol metric
    product_type text collate "C",
    mpid text collate "C"
) partition by range (week_ending);

create unique index volume_record_current on otc.volume_record
    (week_ending, tier, symbol, mpid, firm_crd, issue_name_id, product_type, venue_type)
    nulls not distinct where ended_by is null;
create index volume_record_symbol on otc.volume_record (symbol, week_ending);

-- Make the quarter's partition that a week falls into. Attaching a table blocks no reader and no writer.
create function otc.make_room(week date) returns void language plpgsql as $$
declare
    quarter date := date_trunc('quarter', week);
    name text := format('volume_record_%sq%s', extract(year from week), extract(quarter from week));
begin
    if to_regclass('otc.' || name) is not null then
        return;
    end if;
    perform pg_advisory_xact_lock(hashtext('otc.make_room'));
    -- a query, since what to_regclass said before the lock may be remembered
    if not exists (select from pg_class as c where c.relnamespace = 'otc'::regnamespace and c.relname = name) then
        execute format('create table otc.%I (like otc.volume_record including defaults including constraints)', name);
        execute format(
            'alter table otc.volume_record attach partition otc.%I for values from (%L) to (%L)',
            name, quarter, quarter + interval '3 months'
        );
    end if;
end
$$;

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
from otc.volume_record as r
inner join otc.capture as c on c.capture_id = r.brought_by
left join otc.name as issue on issue.name_id = r.issue_name_id
left join otc.name as venue on venue.name_id = r.venue_name_id
where r.ended_by is null;

-- Rows of a raw object that are not records, by the object's line.
create table otc.reject (
    raw_key text not null,
    line int not null,
    week_ending date not null,
    tier text collate "C" not null,
    reason text not null,
    text text not null,
    primary key (raw_key, line)
);

-- One row a stage, key and generation: what was done, is being done, and is due.
create table otc.stage_run (
    stage text not null,
    key text not null,
    generation bigint not null default 0, -- the capture, once there is one
    week_ending date not null,
    tier text collate "C" not null,
    state text not null check (state in ('queued', 'running', 'done', 'failed', 'held')),
    request text, -- who asked for it again; null in the normal course
    is_last boolean not null default false, -- nothing follows: asked for with --only
    code_version int not null,
    attempts int not null default 0,
    unended int not null default 0, -- claims in a row that neither finished nor failed: their worker died
    worker uuid, -- the claim's token
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

-- Metrics that wait for one runner of their week.
create table otc.metric_due (
    week_ending date not null,
    metric text not null,
    is_reached boolean not null default false, -- by a change of an earlier week: its own records are as they were
    primary key (week_ending, metric, is_reached) -- both may stand: who only adds rows waits for no other's
);
