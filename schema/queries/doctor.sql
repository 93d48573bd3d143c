-- name: server
-- Version, encoding and clock of the server.
select
    current_setting('server_version_num')::int / 10000 as major,
    current_setting('server_version') as version,
    current_setting('server_encoding') as encoding,
    clock_timestamp() as now;

-- name: some_raw_keys
-- Raw keys of the oldest and of the newest captures.
(select raw_key from otc.capture order by week_ending, tier, observed_at limit %(limit)s)
union
(select raw_key from otc.capture order by week_ending desc, tier desc, observed_at desc limit %(limit)s)
order by raw_key;
