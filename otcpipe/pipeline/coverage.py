"""Coverage: the state of every expected partition, one cell for each week and tier."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from otcpipe import weeks
from otcpipe.datasets import TIERS
from otcpipe.metrics.definitions import max_lookahead
from otcpipe.pipeline import ledger, planning
from otcpipe.records import Partition
from otcpipe.stages import versions
from otcpipe.storage.postgres import Database, Row

UNWANTED = "unwanted"  # the state of a week before the first that is expected of its tier


@dataclass(frozen=True)
class Cell:
    """The state of one partition. `str()` gives the state in a word or two, for a table."""

    partition: Partition
    state: str
    days_late: int = 0
    stage: str | None = None
    restated: int = 0  # how often its content changed after the first capture
    grade: str | None = None
    reason: str | None = None

    def __str__(self) -> str:
        words = {
            "late": f"late {self.days_late}d",
            "failed": f"failed: {self.stage}",
            "restated": f"restated {self.restated}x",
            "not_due": "not due",
            UNWANTED: "-",
        }
        return words.get(self.state, self.state)


def cells(
    database: Database,
    now: datetime,
    since: date | None,
    first: date | None = None,
    last: date | None = None,
    tiers: Sequence[str] = tuple(TIERS),
) -> list[Cell]:
    """Return one cell for each week and each of the tiers, oldest first, from `first` to `last`.

    By default from the oldest week that is known or expected to the newest that has ended. `since` is the first week
    that is expected of every tier; None means what requests decided (`planning.expected_partitions`).
    """
    with database.transaction() as transaction:
        more = {
            _partition(row): row
            for row in transaction.rows("coverage", code_version=versions.COMPUTE, reach=max_lookahead())
        }
    rows = [row for row in ledger.partitions(database) if row["tier"] in tiers]
    known = {_partition(row): row | more.get(_partition(row), {}) for row in rows}
    expected = set(planning.expected_partitions(database, now, first or since, tiers))
    end = last or weeks.week_ending(now.astimezone(weeks.NEW_YORK).date()) - planning.WEEK
    begin = first or min((one.week_ending for one in {*known, *expected}), default=end)
    span = sorted(
        planning.partitions_between(begin, end, tiers), key=lambda one: (one.week_ending, list(TIERS).index(one.tier))
    )
    return [_cell(one, known.get(one), now, is_expected=one in expected) for one in span]


def _partition(row: Row) -> Partition:
    return Partition(row["week_ending"], row["tier"])


def _cell(partition: Partition, row: Row | None, now: datetime, *, is_expected: bool) -> Cell:
    calendar = weeks.state_of(partition.week_ending, partition.tier, now)
    days_late = weeks.days_late(partition.week_ending, partition.tier, now)
    if row is None:
        state = calendar if is_expected or calendar == "not_due" else UNWANTED
        return Cell(partition, state, days_late, reason="never requested" if state == "late" else None)
    if row["state"] == "absent":
        return Cell(partition, calendar, days_late, row["stage"], reason=row["reason"])
    state = _done(row) if row["state"] == "done" else row["state"]
    return Cell(partition, state, 0, row["stage"], row.get("restated", 0), row["grade"], row["reason"])


def _done(row: Row) -> str:
    if row["is_stale"]:
        return "stale"
    if not row["covers_all"]:
        return "partial"
    return "restated" if row["restated"] else "done"
