-- name: server
-- Version, encoding and clock of the server.
select
    current_setting('server_version_num')::int / 10000 as major,
    current_setting('server_version') as version,
    current_setting('server_encoding') as encoding,
    clock_timestamp() as now;
