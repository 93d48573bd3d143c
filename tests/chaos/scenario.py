"""Some weeks of FINRA's life and of an operator's: published, restated, withdrawn, reverted, spoilt, accepted.

Each phase changes the dataset and then asks for work. Observations that arrive late are placed between the phases by
the moments at which those began, so that their order is the same in every run.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Protocol

from otcpipe.datasets import WEEKLY
from otcpipe.records import Partition
from otcpipe.stages import completeness
from otcpipe.weeks import week_ending
from tests.finra_server import Dataset, generated
from tests.finra_server.rows import FIELDS, Row, to_row, value_of, with_values

MONDAYS = [date(2025, 6, 2) + timedelta(days=7 * number) for number in range(3)]
TIERS = ("T1", "T2")
SYMBOLS = {"T1": 8, "T2": 12, "OTCE": 4}
EVERYTHING = [Partition(week_ending(monday), tier) for monday in MONDAYS for tier in TIERS]
REVERTED, GROWN, THINNED = (MONDAYS[0], "T1"), (MONDAYS[2], "T2"), (MONDAYS[1], "T1")
SPOILT, FILED = (MONDAYS[2], "T1"), (MONDAYS[1], "T2")
Content = Callable[[Dataset], bytes]


class Operator(Protocol):
    """The operator who requests work: fetches, imports of observations, decisions."""

    def fetch(self, partitions: Sequence[Partition]) -> None: ...

    def observe(self, partition: Partition, content: bytes, observed_at: datetime, *, is_file: bool) -> None: ...

    def accept(self, partition: Partition) -> None: ...

    def withdraw(self, partition: Partition, observed_at: datetime, *, undo: bool = False) -> None: ...


@dataclass(frozen=True)
class Phase:
    """What FINRA does, which partitions are then fetched, and what else the operator does."""

    happen: Callable[[Dataset], None]
    fetched: Sequence[Partition]
    ask: Callable[[Operator, Dataset, Sequence[datetime]], None]  # with the moments at which phases began


def dataset() -> Dataset:
    return generated(MONDAYS, SYMBOLS, seed=5)


def partition(key: tuple[date, str]) -> Partition:
    return Partition(week_ending(key[0]), key[1])


def publish(_: Dataset) -> None:
    """FINRA has published everything already."""


def restate(finra: Dataset) -> None:
    """Change numbers, remove a row, and spoil every fourth row of one partition, so that it is held."""
    for number, key in enumerate((REVERTED, GROWN)):
        finra.restate(key, seed=number)
    finra.withdraw(THINNED, seed=3)
    finra.replace(SPOILT, [_spoilt(row) if number % 4 == 0 else row for number, row in enumerate(finra.rows(SPOILT))])


def revert(finra: Dataset) -> None:
    finra.revert(REVERTED)
    finra.grow(GROWN, 2, seed=4)


def ask_nothing(operator: Operator, finra: Dataset, began: Sequence[datetime]) -> None:
    """Nothing besides the fetches."""


def import_files(operator: Operator, finra: Dataset, began: Sequence[datetime]) -> None:
    """Import files: of the state before the restatement with one number changed, and one older than all others."""
    before = finra.before(REVERTED)
    assert before
    operator.observe(partition(REVERTED), file_text(before.lines, add=7), began[1], is_file=True)
    operator.observe(partition(FILED), file_text(finra.partition(FILED).lines, add=11), began[0], is_file=True)


def decide(operator: Operator, finra: Dataset, began: Sequence[datetime]) -> None:
    """Accept the held partition, withdraw a file, withdraw and restore another; an old API observation arrives."""
    operator.accept(partition(SPOILT))
    operator.withdraw(partition(REVERTED), began[1])
    for undo in (False, True):
        operator.withdraw(partition(FILED), began[0], undo=undo)
    before = finra.before(GROWN)
    assert before
    operator.observe(partition(GROWN), api_text(GROWN, before.lines, add=5), began[1], is_file=False)


PHASES = (
    Phase(publish, EVERYTHING, ask_nothing),
    Phase(restate, [partition(key) for key in (REVERTED, GROWN, THINNED, SPOILT)], import_files),
    Phase(revert, [partition(key) for key in (REVERTED, GROWN)], decide),
)


def file_text(lines: Sequence[str], add: int) -> bytes:
    """Return the website's file of a state of a partition, with `more` shares added to the first row."""
    rows = [row for row in map(to_row, lines) if value_of(row, "summaryTypeCode") == "ATS_W_SMBL_FIRM"]
    rows[0] = _with_more(rows[0], add)
    text = [
        "|".join(WEEKLY.file_order),
        *("|".join(value_of(row, name) or "" for name in WEEKLY.file_order) for row in rows),
    ]
    return ("\n".join(text) + "\n").encode()


def api_text(key: tuple[date, str], lines: Sequence[str], add: int) -> bytes:
    """Return the API's text of a state of a partition, with shares added to one firm row, so that no total fits."""
    rows = list(map(to_row, lines))
    at = next(number for number, row in enumerate(rows) if value_of(row, "summaryTypeCode") == "OTC_W_SMBL_FIRM")
    rows[at] = _with_more(rows[at], add)
    texts = ["|".join(value or "" for value in row).encode() for row in rows]
    return completeness.sort_rows("|".join(FIELDS).encode(), texts, partition(key))[0]


def _with_more(row: Row, shares: int) -> Row:
    return with_values(
        row, totalWeeklyShareQuantity=str(int(value_of(row, "totalWeeklyShareQuantity") or 0) + shares)
    )


def _spoilt(row: Row) -> Row:
    return with_values(row, totalWeeklyTradeCount="1.5")  # in text and JSON alike
