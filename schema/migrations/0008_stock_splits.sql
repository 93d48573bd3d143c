-- Splits that users import: they are certain, and replace those that are inferred from the feed.

alter table otc.volume_import drop constraint volume_import_dataset_check;
alter table otc.volume_import
add constraint volume_import_dataset_check check (dataset in ('market_volume', 'consolidated_volume', 'stock_split'));

create table otc_internal.stock_split (
    symbol text collate "C" not null,
    ex_date date not null,
    ratio numeric(24, 12) not null, -- new shares for an old one; 1: there was no split
    week_ending date not null, -- of the first trading day with the new shares
    mixed_ratio numeric(24, 12), -- new shares for one of that week, if it had both; else null
    known_from timestamptz not null,
    opened_by bigint not null references otc.volume_import,
    closed_by bigint references otc.volume_import -- null while current
);
create unique index on otc_internal.stock_split (symbol, week_ending) where closed_by is null;

create view otc.stock_split as
select v.symbol, v.ex_date, v.ratio, v.week_ending, v.mixed_ratio, v.known_from, i.source, i.observed_at
from otc_internal.stock_split as v
inner join otc.volume_import as i on i.import_id = v.opened_by
where v.closed_by is null;

alter table if exists otc.symbol_split
alter column price_before drop not null,
alter column price_after drop not null,
add ex_date date,
drop computed_at, -- the last column of every metric
add computed_at timestamptz not null default now();
