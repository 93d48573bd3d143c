-- Volumes of all trading, from files that users import: of the market by day, participant and tape, and of symbols by day.
-- The files are in S3, and all versions of their rows here.

create table otc.volume_import (
    import_id bigint primary key, -- number made of key
    dataset text not null check (dataset in ('market_volume', 'consolidated_volume')),
    source text not null, -- who made the file
    key text not null unique, -- S3 key of the manifest
    digest text not null, -- SHA-256 of the file
    observed_at timestamptz not null,
    first_day date not null,
    last_day date not null,
    rows bigint not null
);

create table otc_internal.market_volume (
    day date not null,
    participant_code text collate "C" not null,
    tape text collate "C" not null check (tape in ('A', 'B', 'C')),
    participant text collate "C" not null,
    shares numeric(26, 6) not null,
    notional numeric(30, 6) not null,
    trades bigint not null,
    opened_by bigint not null references otc.volume_import,
    closed_by bigint references otc.volume_import -- null while current
);
create unique index on otc_internal.market_volume (day, participant_code, tape) where closed_by is null;

create table otc_internal.consolidated_volume (
    day date not null,
    symbol text collate "C" not null,
    source text collate "C" not null,
    volume numeric(26, 6) not null,
    opened_by bigint not null references otc.volume_import,
    closed_by bigint references otc.volume_import
);
create unique index on otc_internal.consolidated_volume (day, symbol, source) where closed_by is null;

create view otc.market_volume as
select v.day, v.participant_code, v.participant, v.tape, v.shares, v.notional, v.trades, i.source, i.observed_at
from otc_internal.market_volume as v
inner join otc.volume_import as i on i.import_id = v.opened_by
where v.closed_by is null;

create view otc.consolidated_volume as
select v.day, v.symbol, v.source, v.volume, i.observed_at
from otc_internal.consolidated_volume as v
inner join otc.volume_import as i on i.import_id = v.opened_by
where v.closed_by is null;
