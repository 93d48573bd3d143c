-- name: top_symbols
-- The largest symbols of a week, the newest that has metrics where none is given.
with largest as (
    select week_ending, symbol, scope, sum(total_volume) as volume
    from otc.symbol_summary
    where
        scope = %(scope)s
        and week_ending = coalesce(
            %(week_ending)s::date, (select max(s.week_ending) from otc.symbol_summary as s where s.scope = %(scope)s)
        )
    group by week_ending, symbol, scope
    order by volume desc, symbol
    limit %(limit)s
)
select
    l.week_ending,
    l.symbol,
    round(l.volume, 6) as volume,
    r.volume_vs_avg_pct,
    r.trend,
    r.weeks_in_window,
    c.hhi,
    c.hhi_upper,
    c.concentration_level,
    issue.issue_name
from largest as l
left join otc.symbol_rolling_avg as r using (week_ending, symbol, scope)
left join otc.symbol_concentration as c using (week_ending, symbol, scope)
left join lateral (
    select v.issue_name
    from otc.venue_volume as v
    where v.symbol = l.symbol and v.week_ending = l.week_ending
    order by v.share_volume desc
    limit 1
) as issue on true
order by l.volume desc, l.symbol;
