"""What is there of all that ought to be: one cell a week and tier, and the gaps by name."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from otcpipe import weeks
from otcpipe.datasets import TIERS
from otcpipe.pipeline import ledger, planning
from otcpipe.records import Partition
from otcpipe.stages import compute
from otcpipe.storage.postgres import Database, Row

UNWANTED = "-"  # a week before the first that the tier was ever asked for
TROUBLES = ("late", "failed", "held")


@dataclass(frozen=True)
class Cell:
    """Where one partition stands, in a word, with what belongs to that word."""

    partition: Partition
    state: str
    days_late: int = 0
    stage: str | None = None
    restated: int = 0  # times that its content changed after its first capture
    grade: str | None = None
    reason: str | None = None

    def __str__(self) -> str:
        words = {
            "late": f"late {self.days_late}d",
            "failed": f"failed: {self.stage}",
            "restated": f"restated {self.restated}x",
            "not_due": "not due",
        }
        return words.get(self.state, self.state)


def cells(
    database: Database, now: datetime, since: date | None, first: date | None = None, last: date | None = None
) -> list[Cell]:
    """One cell for each week and tier, oldest first: from a first week on, else from the oldest that is known."""
    with database.transaction() as transaction:
        more = {_partition(row): row for row in transaction.rows("coverage", code_version=compute.VERSION)}
    known = {_partition(row): row | more.get(_partition(row), {}) for row in ledger.partitions(database)}
    wanted = set(planning.expected_partitions(database, now, first or since, TIERS))
    end = last or weeks.week_ending(now.astimezone(weeks.NEW_YORK).date()) - planning.WEEK
    begin = first or min((one.week_ending for one in {*known, *wanted}), default=end)
    span = sorted(
        planning.partitions_between(begin, end, TIERS), key=lambda one: (one.week_ending, list(TIERS).index(one.tier))
    )
    return [_cell(one, known.get(one), now, is_wanted=one in wanted) for one in span]


def troubles(found: Sequence[Cell]) -> list[str]:
    """A sentence for each gap: weeks in a row of which somebody must take care for the same reason."""
    gaps: list[list[Cell]] = []
    for cell in sorted(found, key=lambda one: list(TIERS).index(one.partition.tier)):
        if cell.state not in TROUBLES:
            continue
        if gaps and _follows(gaps[-1][-1], cell):
            gaps[-1].append(cell)
        else:
            gaps.append([cell])
    return [_trouble(gap[0], gap[-1]) for gap in gaps]


def alike(found: Sequence[Cell]) -> list[tuple[date, date, list[Cell]]]:
    """Runs of weeks whose cells are alike but for the days: first week, last week, the cells of the first."""
    by_week: dict[date, list[Cell]] = {}
    for cell in found:
        by_week.setdefault(cell.partition.week_ending, []).append(cell)
    runs: list[tuple[date, date, list[Cell]]] = []
    for week, row in by_week.items():
        if runs and all(map(_is_alike, runs[-1][2], row)):
            runs[-1] = (runs[-1][0], week, runs[-1][2])
        else:
            runs.append((week, week, row))
    return runs


def _is_alike(one: Cell, other: Cell) -> bool:
    return (one.state, one.stage, one.restated) == (other.state, other.stage, other.restated)


def _follows(one: Cell, other: Cell) -> bool:
    same_tier = one.partition.tier == other.partition.tier
    is_next = other.partition.week_ending - one.partition.week_ending == planning.WEEK
    return same_tier and is_next and _is_alike(one, other) and one.reason == other.reason


def _partition(row: Row) -> Partition:
    return Partition(row["week_ending"], row["tier"])


def _cell(partition: Partition, row: Row | None, now: datetime, *, is_wanted: bool) -> Cell:
    calendar = weeks.state_of(partition.week_ending, partition.tier, now)
    days_late = weeks.days_late(partition.week_ending, partition.tier, now)
    if row is None:
        state = calendar if is_wanted or calendar == "not_due" else UNWANTED
        return Cell(partition, state, days_late, reason="nobody has asked for it" if state == "late" else None)
    if row["state"] == "absent":  # on its first days that is no lateness yet
        return Cell(partition, "late" if days_late else "absent", days_late, row["stage"], reason=row["reason"])
    state = _done(row) if row["state"] == "done" else row["state"]
    return Cell(partition, state, 0, row["stage"], row.get("restated", 0), row["grade"], row["reason"])


def _done(row: Row) -> str:
    if row["is_stale"]:
        return "stale"
    if not row["covers_all"]:
        return "partial"
    return "restated" if row["restated"] else "done"


def _trouble(first: Cell, last: Cell) -> str:
    span = f"{first.partition.week_ending}" + (f" to {last.partition.week_ending}" if last is not first else "")
    how = {"late": f"late by {first.days_late} days", "failed": f"failed at {first.stage}", "held": "held"}
    reason = (first.reason or "no reason is known").rstrip(".")
    return f"{first.partition.tier}, week ending {span}: {how[first.state]}: {reason}."
