-- Whether a week and a tier are such as the feed can hold: a row of any other is ignored wherever partitions are listed.
-- `otcpipe.weeks` states the same bounds.
create or replace function otc.is_partition(week_ending date, tier text)
returns boolean language sql immutable parallel safe as $$
select
    week_ending between date '2014-01-01' and date '2099-12-31' and extract(isodow from week_ending) = 5
    and tier in ('T1', 'T2', 'OTCE')
$$;
