"""The benchmark's table, and its comparison with the ratios that were recorded."""

import json
import sys
from dataclasses import dataclass, replace
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmark.measure import Cost
from otcpipe.stages import PIPELINE

RATIOS = Path(__file__).with_name("ratios.json")
WORSE = 4 / 3
STAGES = {stage.name for stage in PIPELINE}


@dataclass(frozen=True)
class Line:
    """One thing that was timed, with what it could cost at least."""

    name: str
    cost: Cost
    rows: int
    floor: Cost | None = None
    floor_is: str = ""
    spread: tuple[float, ...] = ()  # the seconds of each repetition, ascending

    @property
    def ratio(self) -> float | None:
        return self.cost.seconds / self.floor.seconds if self.floor and self.floor.seconds else None

    def told(self) -> dict[str, object]:
        return {
            "name": self.name,
            "seconds": round(self.cost.seconds, 3),
            "seconds_each": [round(seconds, 3) for seconds in self.spread],
            "rows": self.rows,
            "rows_per_second": round(self.rows / self.cost.seconds),
            "peak_megabytes": round(self.cost.megabytes),
            "floor_seconds": round(self.floor.seconds, 3) if self.floor else None,
            "ratio": round(self.ratio, 2) if self.ratio else None,
            "floor": self.floor_is,
        }


def medians(lines: list[Line]) -> list[Line]:
    """For each name the repetition of median ratio, or of median seconds where there is no floor."""
    found = []
    for name in dict.fromkeys(line.name for line in lines):
        same = sorted((line for line in lines if line.name == name), key=lambda line: line.ratio or line.cost.seconds)
        seconds = tuple(sorted(line.cost.seconds for line in same))
        found.append(replace(same[len(same) // 2], spread=seconds))
    return found


def show(lines: list[Line]) -> None:
    table = Table(box=None, pad_edge=False)
    for heading in ("", "seconds", "rows/s", "peak MB", "floor s", "ratio", "the floor"):
        table.add_column(heading, justify="left" if heading in ("", "the floor") else "right", no_wrap=True)
    for line in lines:
        table.add_row(
            line.name,
            f"{line.cost.seconds:.2f}"
            + (f" ({line.spread[0]:.2f}-{line.spread[-1]:.2f})" if len(line.spread) > 1 else ""),
            f"{line.rows / line.cost.seconds:,.0f}",
            f"{line.cost.megabytes:.0f}" if line.cost.megabytes else "",
            f"{line.floor.seconds:.2f}" if line.floor else "",
            f"{line.ratio:.1f}" if line.ratio else "",
            line.floor_is,
        )
    Console(width=None if sys.stdout.isatty() else 140, highlight=False).print(table)
    timed = [line for line in lines if line.ratio and line.name in STAGES]
    slowest = max(timed, key=lambda line: line.cost.seconds)
    print(f"The slowest stage is {slowest.name}: {slowest.cost.seconds:.2f} s, {slowest.ratio:.1f} times its floor.")


def check(lines: list[Line]) -> int:
    """1 where a ratio is worse by more than a third than the recorded one."""
    recorded: dict[str, float] = json.loads(RATIOS.read_text())
    code = 0
    for line in lines:
        if line.ratio and line.name in STAGES and line.ratio > WORSE * recorded[line.name]:
            print(f"{line.name}: {line.ratio:.1f} times its floor, recorded was {recorded[line.name]:.1f}.")
            code = 1
    return code
