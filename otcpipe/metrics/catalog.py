"""What analysts can read: the records and the metrics, with the descriptions of the data dictionary."""

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from itertools import takewhile

from otcpipe.errors import Invalid
from otcpipe.metrics import definitions
from otcpipe.records import ATTRIBUTION
from otcpipe.storage import dictionary, sql

RECORDS = "venue_volume"
HISTORY = "_history"  # ends the name of a table's history
KEY_UNITS = ("", "Friday")  # of the columns that identify a row, which come before all quantities
KNOWLEDGE = ("certainty", "available_at")  # columns that records have as known at a moment
SOURCES = {  # beside FINRA, of some tables
    "market_share": " Volume of the market: Cboe Exchange, Inc.",
    "off_exchange_share": " Consolidated volume: the maker in the column source.",
}
COMPUTED_AT = "computed_at"  # says when the work was done, nothing about the market


@dataclass(frozen=True)
class Column:
    """A column with its unit, which may be empty."""

    name: str
    unit: str
    description: str


@dataclass(frozen=True)
class Table:
    """The records, a metric, or what is derived from them on demand; rows are identified by the columns `keys`."""

    name: str
    description: str
    columns: tuple[Column, ...]

    @property
    def attribution(self) -> str:
        """Whose data it is."""
        return ATTRIBUTION + SOURCES.get(self.name, "")

    @property
    def is_derived(self) -> bool:
        """Whether a function computes the rows on demand, so that none are stored."""
        return self.name in sql.derived_files()

    @property
    def names(self) -> list[str]:
        """The names of all columns, in order."""
        return [column.name for column in self.columns]

    @property
    def keys(self) -> list[str]:
        """The columns that identify a row."""
        return [column.name for column in takewhile(lambda one: one.unit in KEY_UNITS, self.columns)]

    def history(self) -> "Table":
        """Return the table's history, whose rows have the same keys at several times; raises Invalid without one."""
        if self.is_derived:
            raise Invalid(f"{self.name} has no history, because nothing of it is stored: ask for moments instead.")
        described = [one for one in dictionary.descriptions() if one.name == f"{self.name}{HISTORY}"]
        columns = tuple(Column(one.column, one.unit, one.text) for one in described if one.column)
        return Table(f"{self.name}{HISTORY}", described[0].text, columns)

    def choose(self, columns: Iterable[str]) -> list[str]:
        """Return the columns in the given order, each once; raises Invalid for one that does not exist."""
        chosen = list(dict.fromkeys(columns))
        for name in chosen:
            if name not in self.names:
                raise Invalid(f"{self.name} has no column {name!r}{_hint(name, self.names)}")
        return chosen


@cache
def tables() -> dict[str, Table]:
    """Return all tables by name, the records first."""
    names = [RECORDS, *sorted([*(metric.name for metric in definitions.metrics()), *sql.derived_files()])]
    return {name: _table(name) for name in names}


def stored() -> list[str]:
    """Return the names of the tables that are stored, and so have a history."""
    return [name for name, table in tables().items() if not table.is_derived]


def table(name: str) -> Table:
    """Return the table of that name; raises Invalid if it cannot be read."""
    found = tables().get(name)
    if found is None:
        raise Invalid(f"{name!r} cannot be read; choose from {', '.join(tables())}.")
    return found


def split(name: str) -> tuple[str, bool]:
    """Return the table of a name, and whether the name is that of its history."""
    base = name.removesuffix(HISTORY)
    return (base, True) if base != name and base in stored() else (name, False)


@cache
def described() -> dict[str, Table]:
    """Return all tables and views of schema `otc`: those that can be read first, then the others."""
    columns: dict[str, list[Column]] = {}
    texts: dict[str, str] = {}
    for one in dictionary.descriptions():
        if one.column:
            columns.setdefault(one.name, []).append(Column(one.column, one.unit, one.text))
        else:
            texts[one.name] = one.text
    names = sorted(columns, key=lambda name: name not in tables())  # the sort keeps the dictionary's order
    return {name: Table(name, texts[name], tuple(columns[name])) for name in names}


def _table(name: str) -> Table:
    described = [one for one in dictionary.descriptions() if one.name == name]
    versions = {one.column: one for one in dictionary.descriptions() if one.name == "version"}
    more = [versions[column] for column in KNOWLEDGE] if name == RECORDS else []
    columns = tuple(
        Column(one.column, one.unit, one.text)
        for one in (*described, *more)
        if one.column and one.column != COMPUTED_AT
    )
    return Table(name, described[0].text, columns)


def _hint(name: str, names: list[str]) -> str:
    nearest = get_close_matches(name, names, n=1)
    return f": did you mean {nearest[0]!r}?" if nearest else f"; choose from {', '.join(names)}."
