-- When metrics of a week were last computed: what a later stage made before that is made again.
create table otc_internal.week_computation (
    week_ending date primary key,
    computed_at timestamptz not null -- by the clock, when all rows could be read
);
