"""From when each row of a metric was known and has not changed since.

A row holds from the moment from which all that it builds on was known: the records of its symbol, where it has one,
and of its tier, where it has one, in all weeks that the metric looks back on; which partitions were loaded, and the
imported volumes that it reads.
"""

from datetime import date, timedelta

import pyarrow as pa
import pyarrow.compute as pc

from otcpipe.datasets import TIERS
from otcpipe.metrics.definitions import WEEK
from otcpipe.metrics.rows import Choice
from otcpipe.storage import arrow
from otcpipe.storage.postgres import Transaction

AVAILABLE_AT, WEEK_ENDING = "available_at", "week_ending"
Names = tuple[str, ...]  # of "tier" and "symbol", in this order


class Moments:
    """The moments of one metric; weeks are loaded in ascending order, and their records read once."""

    def __init__(self, transaction: Transaction, choice: Choice, lookback: timedelta, dataset: str | None) -> None:
        self._transaction = transaction
        self._lookback = lookback
        self._dataset = dataset  # that was imported, and the metric reads too
        self._at = choice.at
        self._symbols = None if choice.symbols is None else list(choice.symbols)
        self._names: Names = tuple(name for name in ("tier", "symbol") if name in choice.table.names)
        self._changes: dict[date, pa.Table] = {}  # when the records of each week became known
        self._records = self._partitions = pa.table({})

    def load(self, week: date) -> None:
        """Read when the records and partitions that rows of the week build on became known."""
        first = week - self._lookback
        weeks = [first + number * WEEK for number in range(self._lookback // WEEK + 1)]
        known = self._changes
        known |= self._read([one for one in weeks if one not in known])
        self._changes = {one: known[one] for one in weeks}
        partitions = arrow.table(
            self._transaction,
            "partition_moments",
            first=first,
            week_ending=week,
            at=self._at,
            dataset=self._dataset,
        )
        self._partitions = newest(partitions, _groupings(("tier",)))
        self._records = newest(pa.concat_tables(self._changes.values()), _groupings(self._names))

    def available_at(self, rows: pa.RecordBatch) -> pa.Array:
        """Return the moment of each row of the week that was loaded."""
        by_tier: Names = tuple(name for name in self._names if name == "tier")
        moments = (
            _look_up(_keys(rows, self._names), self._records),
            _look_up(_keys(rows, by_tier), self._partitions),
        )
        newest_of_both = pc.max_element_wise(*(one.cast(pa.int64()) for one in moments))  # it compares no timestamps
        return newest_of_both.cast(moments[0].type)

    def _read(self, weeks: list[date]) -> dict[date, pa.Table]:
        found = arrow.table(
            self._transaction,
            "record_moments",
            weeks=weeks,
            at=self._at,
            symbols=self._symbols,
            dataset=self._dataset,
        )
        return {one: found.filter(pc.equal(found[WEEK_ENDING], one)).drop_columns(WEEK_ENDING) for one in weeks}


def newest(changes: pa.Table, groupings: list[Names]) -> pa.Table:
    """Return the newest moment by the key of each group, for several ways to group."""
    keyed = [
        pa.table({"key": _keys(changes, names), AVAILABLE_AT: changes[AVAILABLE_AT].combine_chunks()})
        for names in groupings
    ]
    found = pa.concat_tables(keyed).group_by("key").aggregate([(AVAILABLE_AT, "max")])
    return found.filter(pc.is_valid(found["key"]))


def _groupings(names: Names) -> list[Names]:
    """Return how records are grouped: by all names, and over all tiers for rows that are of no tier."""
    return [names, tuple(name for name in names if name != "tier")] if "tier" in names else [names]


def _keys(rows: pa.Table | pa.RecordBatch, names: Names) -> pa.Array:
    """Return one text for tier and symbol; empty for a name that does not count, null for a null symbol."""
    empty = pa.repeat("", rows.num_rows)
    tier, symbol = (_plain(rows[name]) if name in names else empty for name in ("tier", "symbol"))
    tier = pc.if_else(pc.is_in(tier, pa.array(TIERS)), tier, "")
    return pc.binary_join_element_wise(tier, symbol, "\t")


def _plain(column: pa.Array | pa.ChunkedArray) -> pa.Array:
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column


def _look_up(keys: pa.Array, moments: pa.Table) -> pa.Array:
    places = pc.index_in(keys, moments["key"].combine_chunks())
    return moments[f"{AVAILABLE_AT}_max"].combine_chunks().take(places)
