-- name: create_migrations
create schema if not exists otc;
create table if not exists otc.migration (
    name text primary key,
    applied_at timestamptz not null default now()
);

-- name: lock_migrations
-- However long the other one, or what uses the tables, may take.
select set_config('lock_timeout', '0', true), pg_advisory_xact_lock(hashtext('otc.migration'));

-- name: applied_migrations
select name from otc.migration;

-- name: note_migration
insert into otc.migration (name) values (%(name)s);

-- name: trust_functions
-- Metrics may read each other, in whatever order their files come.
set local check_function_bodies = off;
