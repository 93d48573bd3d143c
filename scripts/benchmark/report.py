"""Print the figures as a table, and compare them with recorded ratios."""

import json
import sys
from dataclasses import dataclass, field, replace
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmark.measure import Cost
from otcpipe.pipeline.definition import PIPELINE

RATIOS = Path(__file__).with_name("ratios.json")
WORSE = 4 / 3
STAGES = {stage.name for stage in PIPELINE}


@dataclass(frozen=True)
class Target:
    """The target of one figure of a line, on two cores."""

    figure: str
    bound: float
    unit: str
    is_least: bool = False

    def holds(self, line: "Line") -> bool:
        """Return whether a line reaches the target."""
        found = getattr(line, self.figure)
        return bool(found >= self.bound if self.is_least else found <= self.bound)

    def __str__(self) -> str:
        return f"{'at least' if self.is_least else 'at most'} {self.bound:,g} {self.unit}"


TARGETS = {
    "persist": [Target("ratio", 2, "x")],
    "persist, 50 rows restated": [Target("ratio", 1.2, "x")],
    "compute": [Target("seconds", 2, "s")],
    "symbol_split of a week": [Target("seconds", 0.5, "s")],  # what later metrics add to compute
    "raw to metrics, 2 workers": [
        Target("seconds", 1.6, "s"),
        Target("ratio", 3.2, "x"),
        Target("megabytes", 350, "MB"),
    ],
    "backfill, newest first": [
        Target("ratio", 1.15, "x"),
        Target("pace", 80_000, "rows/s", is_least=True),
        Target("megabytes", 350, "MB"),
    ],
    "a week beside readers": [Target("ratio", 4 / 3, "x")],
    "95 % of answers": [Target("seconds", 0.5, "s")],
    "12 weeks, 2 workers": [Target("pace", 60_000, "rows/s", is_least=True), Target("megabytes", 500, "MB")],
    "week 50": [Target("ratio", 1.2, "x")],
    "enqueue to start, idle": [Target("seconds", 0.2, "s")],
    "otcpipe --help": [Target("seconds", 0.5, "s")],
    "otcpipe show SYMBOL": [Target("seconds", 0.35, "s")],
    "otcpipe top": [Target("seconds", 0.35, "s")],
    "otcpipe venues": [Target("seconds", 0.35, "s")],
    "otcpipe status": [Target("seconds", 0.35, "s")],
    "history of 100 bytes of a metric": [Target("room", 5, "bytes")],
    "export, a metric's week": [Target("seconds", 0.3, "s")],
    "export, a week's records": [Target("seconds", 1, "s")],
    "export, a metric's history, each week": [
        Target("seconds", 0.36, "s"),
        Target("megabytes", 500, "MB"),
    ],  # 249: 90 s
    "a record with its indexes": [Target("room", 333, "bytes")],  # 16 GB for 48 million
}


@dataclass(frozen=True)
class Line:
    """One measurement, and its floor: the least that it could cost."""

    name: str
    cost: Cost = field(default_factory=Cost)
    rows: int = 0
    floor: Cost | None = None
    floor_is: str = ""
    room: float = 0  # bytes on disk a row
    spread: tuple[float, ...] = ()  # the seconds of each repetition, ascending

    @property
    def seconds(self) -> float:
        return self.cost.seconds

    @property
    def megabytes(self) -> float:
        return self.cost.megabytes

    @property
    def pace(self) -> float:
        """Rows per second; 0 for what takes no time."""
        return self.rows / self.seconds if self.seconds else 0

    @property
    def ratio(self) -> float | None:
        return self.seconds / self.floor.seconds if self.floor and self.floor.seconds else None

    @property
    def asked(self) -> list[Target]:
        return TARGETS.get(self.name, [])

    def as_row(self) -> dict[str, object]:
        return {
            "name": self.name,
            "seconds": round(self.seconds, 3),
            "seconds_each": [round(seconds, 3) for seconds in self.spread],
            "rows": self.rows,
            "rows_per_second": round(self.pace),
            "peak_megabytes": round(self.megabytes),
            "bytes_per_row": round(self.room),
            "floor_seconds": round(self.floor.seconds, 3) if self.floor else None,
            "ratio": round(self.ratio, 2) if self.ratio else None,
            "floor": self.floor_is,
            "asked": [{"bound": str(asked), "holds": asked.holds(self)} for asked in self.asked],
        }


def medians(lines: list[Line]) -> list[Line]:
    """Return for each name the repetition with the median ratio, or the median seconds if it has no floor."""
    found = []
    for name in dict.fromkeys(line.name for line in lines):
        same = sorted((line for line in lines if line.name == name), key=lambda line: line.ratio or line.seconds)
        seconds = tuple(sorted(line.seconds for line in same))
        found.append(replace(same[len(same) // 2], spread=seconds))
    return found


def show(lines: list[Line]) -> None:
    table = Table(box=None, pad_edge=False)
    for heading in ("", "seconds", "rows/s", "peak MB", "floor s", "ratio", "the floor", "target"):
        is_text = heading in ("", "the floor", "target")
        table.add_column(heading, justify="left" if is_text else "right", no_wrap=True)
    for line in lines:
        spread = f" ({line.spread[0]:.2f}-{line.spread[-1]:.2f})" if len(line.spread) > 1 else ""
        table.add_row(
            line.name,
            f"{line.seconds:.2f}{spread}" if line.seconds else "",
            f"{line.pace:,.0f}" if line.pace else "",
            f"{line.megabytes:.0f}" if line.megabytes else "",
            f"{line.floor.seconds:.2f}" if line.floor else "",
            f"{line.ratio:.1f}" if line.ratio else "",
            f"{line.room:.0f} bytes" if line.room else line.floor_is,
            ", ".join(f"{asked}{'' if asked.holds(line) else ': NOT met'}" for asked in line.asked),
        )
    Console(width=None if sys.stdout.isatty() else 180, highlight=False).print(table)
    timed = [line for line in lines if line.ratio and line.name in STAGES]
    if timed:
        slowest = max(timed, key=lambda line: line.seconds)
        print(f"The slowest stage is {slowest.name}: {slowest.seconds:.2f} s, {slowest.ratio:.1f} times its floor.")


def check(lines: list[Line]) -> int:
    """Print each ratio that is worse than the recorded one by more than a third; return 1 if any is, else 0."""
    recorded: dict[str, float] = json.loads(RATIOS.read_text())
    code = 0
    for line in lines:
        if line.ratio and line.name in recorded and line.ratio > WORSE * recorded[line.name]:
            print(f"{line.name}: {line.ratio:.1f} times its floor, recorded was {recorded[line.name]:.1f}.")
            code = 1
    return code
