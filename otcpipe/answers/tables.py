"""Rows of the records and of the metrics, some at a time."""

from dataclasses import replace
from datetime import date, datetime

from otcpipe.errors import Invalid
from otcpipe.metrics import catalog
from otcpipe.metrics.catalog import Table
from otcpipe.metrics.rows import Choice
from otcpipe.storage import arrow
from otcpipe.storage.postgres import Database, Row


def described() -> list[Row]:
    """Return the columns of all tables, with units and descriptions."""
    return [
        {"table": table.name, "column": column.name, "unit": column.unit, "description": column.description}
        for table in catalog.tables().values()
        for column in table.columns
    ]


def choice(table: Table, symbols: str, tier: str | None, scope: str | None, at: datetime | None) -> Choice:
    """Return the rows that are asked for; symbols are separated by commas. Raises Invalid for a wrong combination."""
    chosen = [one for one in symbols.split(",") if one]
    if any("\0" in one or one.encode(errors="replace").decode() != one for one in chosen):
        raise Invalid("Give symbols as text.")
    return Choice(table, chosen or None, tier, scope, at)


def rows(
    database: Database, chosen: Choice, first: date | None, last: date | None, offset: int, limit: int
) -> list[Row]:
    """Return rows by what identifies them; without weeks and symbols, of the newest week.

    Raises Invalid for several weeks of all symbols, which are an export.
    """
    with database.snapshot() as transaction:
        if chosen.symbols is None and first is None and last is None:
            found = transaction.row("report_week", week_ending=None)
            first = last = found["week_ending"] if found else date.max
        if chosen.symbols is None and first != last:
            raise Invalid("Give one week, or symbols: `otcpipe export` writes whole tables.")
        columns = chosen.table.names
        ordered = replace(chosen.query(columns, "in_order_of_keys"), keys=chosen.table.keys)
        query = replace(ordered, conditions=[*ordered.conditions, "some_rows"])
        values: Row = chosen.values(first or date.min, last or date.max)
        found_rows: list[Row] = arrow.table(transaction, query, **values, offset=offset, limit=limit).to_pylist()
        return found_rows
