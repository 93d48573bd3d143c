"""Queries whose table, columns and conditions are chosen at run time, put together from named statements."""

from collections.abc import Sequence
from dataclasses import dataclass

from otcpipe.storage import sql


@dataclass(frozen=True)
class Selection:
    """A named statement that has `{table}`, `{columns}`, `{keys}` and `{conditions}` where these are to be put."""

    statement: str
    table: str = ""
    columns: Sequence[str] = ()
    keys: Sequence[str] = ()  # columns to sort by
    conditions: Sequence[str] = ()  # names of statements, an order last

    def text(self) -> str:
        """Return the query."""
        base, *conditions = (sql.statements()[name].removesuffix(";") for name in (self.statement, *self.conditions))
        text = base.replace("{conditions}", "\n".join(conditions))
        for place, names in (("{table}", (self.table,)), ("{columns}", self.columns), ("{keys}", self.keys)):
            text = text.replace(place, quoted(names))
        return text


def quoted(names: Sequence[str]) -> str:
    """Return the names as a list of columns."""
    return ", ".join(map(_quote, names))


def _quote(name: str) -> str:
    return '"{}"'.format(name.replace('"', '""').replace("%", "%%"))
