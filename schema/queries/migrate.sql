-- name: create_migrations
-- Create the list of applied migrations.
create schema if not exists otc;
create schema if not exists otc_internal;
create table if not exists otc.migration (
    name text primary key,
    applied_at timestamptz not null default now()
);

-- name: lock_migrations
-- Wait for another migration, and for those who use the tables, however long they take.
select set_config('lock_timeout', '0', true), pg_advisory_xact_lock(hashtext('otc.migration'));

-- name: applied_migrations
-- Names of the applied migrations.
select name from otc.migration;

-- name: note_migration
-- Add an applied migration.
insert into otc.migration (name) values (%(name)s);

-- name: note_upgrade
-- The upgraded tables are those of the first migration: its name replaces those of the older ones.
with older as (
    delete from otc.migration where name <> %(name)s
)
insert into otc.migration (name) values (%(name)s)
on conflict do nothing;

-- name: note_first_metrics
-- Before any week was loaded, no metric is one that was added.
insert into otc_internal.known_metric (metric)
select m
from unnest(%(metrics)s::text[]) as m
where not exists (select from otc.capture where persisted_at is not null)
on conflict do nothing;

-- name: describe
-- Comment on what the data dictionary describes.
select otc_internal.describe(%(objects)s::text[], %(columns)s::text[], %(texts)s::text[]);
