"""The usual ways, for comparison: read with the csv module, insert, compute with pandas."""

import csv
import io

import pandas as pd

from benchmark.measure import Cost, measured
from otcpipe import resources

COLUMNS = ("weekStartDate", "tierIdentifier", "issueSymbolIdentifier", "MPID", "firmCRDNumber")
NUMBERS = ("totalWeeklyShareQuantity", "totalWeeklyTradeCount", "totalNotionalSum")
TABLE = """
    create temporary table usual (
        week date, tier text, symbol text, mpid text, crd text, shares numeric, trades bigint, notional numeric
    ) on commit drop
"""
INSERT = "insert into usual values (%s, %s, %s, %s, %s, %s, %s, %s)"


def row_by_row(contents: list[bytes], cost: Cost) -> None:
    """Read with the csv module, INSERT row by row, and sum with pandas."""
    with measured(cost), resources.database().transaction() as transaction:
        transaction.connection.execute(TABLE)
        rows = [row for content in contents for row in _firm_rows(content)]
        with transaction.connection.cursor() as cursor:
            for row in rows:
                cursor.execute(INSERT, row)
        _summed(rows)


def many_at_once(contents: list[bytes], cost: Cost) -> None:
    """Read with the csv module, insert with executemany, and sum with pandas."""
    with measured(cost), resources.database().transaction() as transaction:
        transaction.connection.execute(TABLE)
        rows = [row for content in contents for row in _firm_rows(content)]
        with transaction.connection.cursor() as cursor:
            cursor.executemany(INSERT, rows)
        _summed(rows)


def _firm_rows(content: bytes) -> list[list[str | None]]:
    reader = csv.DictReader(io.StringIO(content.decode()), delimiter="|", quoting=csv.QUOTE_NONE)
    return [
        [row[name] or None for name in (*COLUMNS, *NUMBERS)]
        for row in reader
        if row["summaryTypeCode"].endswith("_SMBL_FIRM")
    ]


def _summed(rows: list[list[str | None]]) -> None:
    frame = pd.DataFrame(rows, columns=["week", "tier", "symbol", "mpid", "crd", "shares", "trades", "notional"])
    frame = frame.astype({"shares": float, "trades": float, "notional": float})
    venues = frame.groupby(["symbol", "mpid", "crd"], dropna=False)["shares"].sum()
    total = venues.groupby("symbol").sum()
    ((venues / total) ** 2).groupby("symbol").sum()
    frame.groupby(["tier", "symbol"])[["shares", "trades", "notional"]].sum()
