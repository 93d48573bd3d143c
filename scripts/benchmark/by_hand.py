"""A week by hand in DuckDB: the records and their sums, without versions, proof or durability."""

from pathlib import Path

import duckdb

from benchmark.measure import Cost, measured

RECORDS = """
    create table record as
    select weekStartDate + 4 as week_ending, tierIdentifier as tier, issueSymbolIdentifier as symbol,
        left(summaryTypeCode, 3) = 'ATS' as is_ats, MPID as mpid, firmCRDNumber as firm_crd,
        marketParticipantName as venue_name, totalWeeklyShareQuantity as shares,
        totalWeeklyTradeCount as trades, totalNotionalSum as notional
    from read_csv($files, delim = '|', quote = '', header = true, types = {
        'weekStartDate': 'date', 'totalWeeklyShareQuantity': 'decimal(20, 6)', 'totalWeeklyTradeCount': 'bigint',
        'totalNotionalSum': 'decimal(24, 6)', 'firmCRDNumber': 'int', 'issueSymbolIdentifier': 'varchar',
        'MPID': 'varchar'
    })
    where summaryTypeCode in ('ATS_W_SMBL_FIRM', 'OTC_W_SMBL_FIRM')
"""
METRICS = (
    """
    create table symbol_summary as
    select week_ending, tier, symbol, is_ats, sum(shares) as shares, sum(trades) as trades, sum(notional) as notional,
        count(distinct coalesce(mpid, firm_crd::varchar)) as venues
    from record group by grouping sets ((week_ending, tier, symbol, is_ats), (week_ending, tier, symbol))
    """,
    """
    create table concentration as
    select week_ending, symbol, round(10000 * sum(pow(shares, 2)) / pow(sum(shares), 2), 2) as hhi
    from (select week_ending, symbol, mpid, firm_crd, sum(shares)::double as shares from record group by all)
    group by all
    """,
    """
    create table venue_share as
    select *, 100 * shares / sum(shares) over (partition by week_ending, tier) as share,
        rank() over (partition by week_ending, tier order by shares desc) as rank
    from (
        select week_ending, tier, mpid, firm_crd, max(venue_name) as venue_name, sum(shares) as shares,
            count(distinct symbol) as symbols
        from record group by all
    )
    """,
    """
    create table rolling as
    select week_ending, symbol,
        avg(shares) over (partition by symbol order by week_ending rows 5 preceding) as average
    from (select week_ending, symbol, sum(shares) as shares from record group by all)
    """,
)


def cost(contents: list[bytes], folder: Path) -> Cost:
    """Return the cost of a week's files, from text to the last sum."""
    files = []
    for number, content in enumerate(contents):
        path = folder / f"by_hand{number}.psv"
        path.write_bytes(content)
        files.append(str(path))
    found = Cost()
    with duckdb.connect(config={"threads": 2}) as connection, measured(found):
        connection.execute(RECORDS, {"files": files})
        for statement in METRICS:
            connection.execute(statement)
    for path in map(Path, files):
        path.unlink()
    return found
