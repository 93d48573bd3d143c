"""Time the histories: one is built, and weeks and histories are exported as Parquet."""

from collections.abc import Iterator
from datetime import date
from pathlib import Path

from benchmark.measure import Cost, measured
from benchmark.report import Line
from otcpipe import resources
from otcpipe.export import Request, export, loaded_weeks
from otcpipe.metrics import history
from otcpipe.metrics.catalog import RECORDS

METRIC = "symbol_summary"
SIZES = f"""
    select
        (select coalesce(sum(pg_column_size(rows)), 0) from otc_internal.{METRIC}_history where week_ending = %s)
        + (
            select coalesce(sum(pg_column_size(keys)), 0)
            from otc_internal.history_opening
            where metric = '{METRIC}' and week_ending = %s
        ) as history,
        (select sum(pg_column_size(m.*)) from otc.{METRIC} as m where week_ending = %s) as metric
"""


def lines(week: date, folder: Path) -> Iterator[Line]:
    """Yield what the histories of a restated week and of all weeks cost; the files are left in the folder."""
    database = resources.database()
    with measured(built := Cost()):
        history.build(database, [METRIC], week, week)
    yield Line("history of a metric's week, built", built)
    with database.transaction() as transaction:
        (sizes,) = transaction.connection.execute(SIZES.encode(), [week] * 3).fetchall()
    yield Line("history of 100 bytes of a metric", room=float(100 * sizes["history"] / sizes["metric"]))
    yield Line("export, a metric's week", *_exported(Request(METRIC, "parquet", folder, week, week)))
    yield Line("export, a week's records", *_exported(Request(RECORDS, "parquet", folder, week, week)))
    history.build(database, [METRIC])
    request = Request(METRIC, "parquet", folder, is_history=True)
    cost, rows = _exported(request)
    weeks = len(loaded_weeks(database, request))
    yield Line("export, a metric's history, each week", Cost(cost.seconds / weeks, cost.megabytes), rows // weeks)


def _exported(request: Request) -> tuple[Cost, int]:
    cost, found = Cost(), list[int]()
    with measured(cost):
        export(resources.database(), request, lambda _, rows: found.append(rows))
    return cost, sum(found)
