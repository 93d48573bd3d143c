-- name: has_reader
-- Whether the role exists, and whether this session may create roles.
select
    exists (select from pg_roles where rolname = 'otcpipe_reader') as is_made,
    (select rolcreaterole or rolsuper from pg_roles where rolname = current_user) as may_create;

-- name: create_reader
-- The role that reads and writes nothing. Without a password it cannot log in.
create role otcpipe_reader login;

-- name: password_of_reader
-- Its password, as the verifier that PostgreSQL stores.
alter role otcpipe_reader password %(verifier)s;

-- name: grant_reader
-- What it may do: select in schema otc, in short read-only transactions. The as-of functions run with the rights of their
-- caller, so that PostgreSQL can plan them as part of a query: they need records, names and sums, which views show anyway.
do $$
begin
    if current_user <> 'otcpipe_reader' and not pg_has_role('otcpipe_reader', 'usage') then
        execute format('grant otcpipe_reader to %I', current_user);
    end if;
    execute format('grant connect on database %I to otcpipe_reader', current_database());
end
$$;
alter role otcpipe_reader set default_transaction_read_only to on;
alter role otcpipe_reader set statement_timeout to '5min';
alter role otcpipe_reader set idle_in_transaction_session_timeout to '5min';
alter role otcpipe_reader set search_path to otc;
grant usage on schema otc, otc_internal to otcpipe_reader;
grant select on all tables in schema otc to otcpipe_reader;
grant select on otc_internal.volume_record, otc_internal.name, otc_internal.symbol_sum, otc_internal.venue_sum,
    otc_internal.market_volume, otc_internal.consolidated_volume, otc_internal.stock_split
to otcpipe_reader;
-- What the pages about the work show, and whether histories are built.
grant select on otc_internal.metric_due, otc_internal.decision, otc_internal.schedule_fire, otc_internal.history_week,
    otc_internal.table_run, otc_internal.week_computation
to otcpipe_reader;
alter default privileges in schema otc grant select on tables to otcpipe_reader;
