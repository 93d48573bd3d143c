-- What metrics build on is summed up by symbol and by venue, in one pass each: to copy a week's records first, and to
-- read them for each metric, took a third longer. The functions over it stand in schema/functions.
drop function if exists otc.week_volume, otc.counted_as_of; -- which a new database never had
drop table otc.working_week;

create type otc.counted as (
    week_ending date,
    tier text collate "C",
    symbol text collate "C",
    mpid text collate "C",
    firm_crd int,
    venue_type text collate "C",
    venue_name_id int,
    unnumbered int, -- the name of a venue that has no number
    is_named boolean, -- not de minimis
    covers_all boolean, -- the partition tells both venue types
    volume numeric,
    trades bigint,
    notional numeric
);

create type otc.traded as (
    week_ending date,
    tier text collate "C",
    is_whole boolean,
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

create unlogged table otc.working_symbol (
    week_ending date not null,
    tier text collate "C", -- null where it is all tiers, and the symbol stands on several
    symbol text collate "C" not null,
    scope text not null,
    is_whole boolean not null, -- all tiers, or the only one
    volume numeric not null,
    trades bigint not null,
    notional numeric, -- null where a record lacks it
    venue_count int not null, -- named venues
    ats_volume numeric not null,
    de_minimis numeric not null, -- volume of unnamed firms
    -- of named venues, in the row of all of the symbol:
    squares numeric not null, -- the sum of each one's volume squared
    top numeric[] -- the volumes of the three largest, in descending order
);
comment on table otc.working_symbol is 'a runner puts its week here and takes it away in the same transaction';

create unlogged table otc.working_venue (
    week_ending date not null,
    tier text collate "C" not null,
    venue_type text collate "C" not null,
    mpid text collate "C",
    firm_crd int,
    venue_name_id int, -- a venue has one, all but always
    is_named boolean not null, -- not de minimis
    volume numeric not null,
    trades bigint not null,
    symbols_on_tier bigint not null, -- of the tier's symbols, those that it traded
    symbols bigint not null -- those that it traded on no tier before this one: summed up, all that it traded
);
comment on table otc.working_venue is 'as otc.working_symbol';
