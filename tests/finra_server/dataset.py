"""The partitions that the server holds, and what changes them while it runs."""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date
from threading import RLock

from . import restate
from .answer import Answer
from .publication import published_on
from .rows import Row, to_line, to_row
from .sorting import orders

Key = tuple[date, str]
Lines = Sequence[str]


class Partition:
    """One state of a partition: it never changes, a restatement puts another in its place."""

    def __init__(self, lines: Lines) -> None:
        self.lines = list(lines)
        self.pages: dict[object, Answer] = {}
        self._orders: dict[tuple[str, ...], list[list[str]]] = {}
        self._lock = RLock()

    def orders(self, sort: tuple[str, ...]) -> list[list[str]]:
        """Its lines in each valid order for the sort fields; sorted once and kept."""
        with self._lock:
            if sort not in self._orders:
                self._orders[sort] = orders(self.lines, sort)
            return self._orders[sort]


class Dataset:
    """Partitions by (Monday of the week, tier).

    A lazy partition is made when it is first asked for; only the latest `keep` of them stay in memory. With
    `today`, what is not yet published then is neither listed nor served. Weeks before `historic_before` are
    served by weeklySummaryHistoric alone.
    """

    def __init__(
        self,
        partitions: Mapping[Key, Lines] | None = None,
        *,
        today: date | None = None,
        historic_before: date | None = None,
        keep: int = 8,
    ) -> None:
        self.today, self.historic_before, self.keep = today, historic_before, keep
        self.lock = RLock()
        self._makers: dict[Key, Callable[[], Lines]] = {}
        self._held: OrderedDict[Key, Partition] = OrderedDict()
        self._before: dict[Key, Partition] = {}
        for key, lines in (partitions or {}).items():
            self.put(key, lines)

    def put(self, key: Key, lines: Lines) -> None:
        """Sets a partition's lines, whatever it held."""
        with self.lock:
            self._before.update({key: self._held[key]} if key in self._held else {})
            self._makers.pop(key, None)
            self._held[key] = Partition(lines)

    def put_lazy(self, key: Key, make: Callable[[], Lines]) -> None:
        with self.lock:
            self._held.pop(key, None)
            self._makers[key] = make

    def partition(self, key: Key) -> Partition:
        """Its present state, published or not; KeyError when there is none."""
        with self.lock:
            if key not in self._held:
                self._held[key] = Partition(self._makers[key]())
            self._held.move_to_end(key)
            lazy = [held for held in self._held if held in self._makers]
            for old in lazy[: -self.keep]:
                del self._held[old]
            return self._held[key]

    def before(self, key: Key) -> Partition | None:
        """The state that the present one replaced."""
        return self._before.get(key)

    def rows(self, key: Key) -> list[Row]:
        return [to_row(line) for line in self.partition(key).lines]

    def keys(self, *, historic: bool | None = False) -> list[Key]:
        """The published partitions, newest first: recent ones, historic ones, or (None) both."""
        with self.lock:
            known = {*self._held, *self._makers}
        served = (key for key in known if self.serves(key, historic=historic))
        return sorted(served, key=lambda key: (-key[0].toordinal(), key[1]))

    def serves(self, key: Key, *, historic: bool | None = False) -> bool:
        known = key in self._held or key in self._makers
        return known and self._is_published(key) and historic in (None, self._is_historic(key))

    def _is_published(self, key: Key) -> bool:
        return self.today is None or published_on(*key) <= self.today

    def _is_historic(self, key: Key) -> bool:
        return self.historic_before is not None and key[0] < self.historic_before

    def replace(self, key: Key, rows: Iterable[Row]) -> None:
        self.put(key, [to_line(row) for row in rows])

    def change(self, key: Key, changed: Callable[[Row], Row | None]) -> None:
        """Replaces each row by another, or withdraws it (None); totals are left as they are."""
        rows = (changed(row) for row in self.rows(key))
        self.replace(key, [row for row in rows if row is not None])

    def restate(self, key: Key, seed: int = 0) -> None:
        """Changes one firm row together with its totals."""
        with self.lock:
            self.put(key, restate.restated(self.partition(key).lines, seed))

    def withdraw(self, key: Key, seed: int = 0) -> None:
        """Takes one firm row away, and its amounts from its totals."""
        with self.lock:
            self.put(key, restate.withdrawn(self.partition(key).lines, seed))

    def grow(self, key: Key, count: int = 1, seed: int = 0) -> None:
        """Adds symbols of two rows each, a firm's and a total."""
        with self.lock:
            self.put(key, restate.grown(self.partition(key).lines, count, seed))

    def revert(self, key: Key) -> None:
        """Goes back to the state before the present one."""
        self.put(key, self._before[key].lines)

    def empty(self, key: Key) -> None:
        """Leaves it listed, without a row."""
        self.put(key, [])

    def remove(self, key: Key) -> None:
        """Takes it off the list."""
        with self.lock:
            self._makers.pop(key, None)
            self._held.pop(key, None)
