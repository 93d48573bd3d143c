-- What metrics build on tells venue names by number: the name of each of its rows took longer than to add them up. The
-- functions over it stand in schema/functions from now on.
drop function otc.week_volume, otc.counted_as_of;
drop table otc.working_week;

create unlogged table otc.working_week (
    week_ending date not null,
    tier text collate "C" not null,
    symbol text collate "C",
    mpid text collate "C",
    firm_crd int,
    venue_type text collate "C" not null,
    venue_name_id int,
    is_named boolean not null, -- not de minimis
    covers_all boolean not null, -- the partition tells both venue types
    volume numeric not null,
    trades bigint not null,
    notional numeric, -- null where the record lacks it
    is_first_on_tier boolean not null, -- of its venue's records of the symbol on the tier
    symbol_volume numeric -- the venue's volume in the symbol on all tiers: on the first of these records, else null
);
comment on table otc.working_week is 'a runner puts its week here and takes it away in the same transaction';
