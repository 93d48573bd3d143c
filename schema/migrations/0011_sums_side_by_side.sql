-- A runner's sums are committed, so that its metrics can be stored side by side. Under new names: a worker of an older
-- release, which would take away those of all weeks, finds no table and stops.
alter table otc.working_symbol rename to symbol_sum;
alter table otc.working_venue rename to venue_sum;
comment on table otc.symbol_sum is 'a runner puts its week here, and takes it away when its metrics are stored';
comment on table otc.venue_sum is 'as otc.symbol_sum';
