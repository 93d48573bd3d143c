"""Which tables and columns can be read, as frames."""

import pandas as pd

from otcpipe.metrics import catalog


class Listing(pd.DataFrame):  # type: ignore[misc]  # pandas has no types
    """A frame that shows its texts whole."""

    def __repr__(self) -> str:
        rows = [[str(name) for name in self], *([str(cell) for cell in row] for row in self.itertuples(index=False))]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        return "\n".join("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)

    def _repr_html_(self) -> str | None:
        with pd.option_context("display.max_colwidth", None):
            shown = super()._repr_html_()
        return None if shown is None else str(shown)


def tables() -> pd.DataFrame:
    """Return the tables that `otcpipe.read` and `otcpipe export` take, with `table` and `description`."""
    rows = [(table.name, table.description) for table in catalog.tables().values()]
    return Listing(rows, columns=["table", "description"])


def columns(table: str) -> pd.DataFrame:
    """Return the columns of a table, with `column`, `unit` and `description`; raises Invalid for an unknown table."""
    rows = [(column.name, column.unit, column.description) for column in catalog.table(table).columns]
    return Listing(rows, columns=["column", "unit", "description"])
