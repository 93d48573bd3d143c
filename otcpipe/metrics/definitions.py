"""What `schema/metrics` defines: how far each metric reaches, what it reads, and what a change makes due."""

import re
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache

from otcpipe.storage import sql
from otcpipe.storage.postgres import Transaction

WEEK = timedelta(days=7)
_REACHES = re.compile(r"^-- reaches: (\d+)(, over stored rows)?( only)?$", re.MULTILINE)
_FORMULA = re.compile(r"^-- formula: (.+)$", re.MULTILINE)


@dataclass(frozen=True)
class Metric:
    """One file of `schema/metrics`: how many following weeks it reaches, the metrics that it reads, its formula.

    What goes over stored rows needs the records of its own week alone, or not even those. It is computed when the
    records' metrics of all weeks that it reads are stored.
    """

    name: str
    lookahead_weeks: int
    reads_stored_weeks: bool
    needs_records: bool
    reads: frozenset[str]
    formula: str

    def marks(self) -> list[tuple[str, bool, int]]:
        """What a change of a week's records makes due: name, whether over stored rows, how many following weeks."""
        if not self.reads_stored_weeks:
            return [(self.name, False, self.lookahead_weeks)]
        return [(self.name, False, 0)] * self.needs_records + [(self.name, True, self.lookahead_weeks)]


@cache
def metrics() -> tuple[Metric, ...]:
    """All metrics, each after those that it reads."""
    return tuple(_metric(name, text) for name, text in sql.metric_files().items())


def _metric(name: str, text: str) -> Metric:
    lookahead_weeks, formula = _REACHES.search(text), _FORMULA.search(text)
    if not lookahead_weeks:
        raise ValueError(f"schema/metrics/{name}.sql does not say how many following weeks it reaches.")
    return Metric(
        name,
        int(lookahead_weeks[1]),
        bool(lookahead_weeks[2]),
        not lookahead_weeks[3],
        sql.metric_reads(text),
        formula[1] if formula else "",
    )


def max_lookahead() -> int:
    return max(metric.lookahead_weeks for metric in metrics())


def mark_due(transaction: Transaction, week: date) -> None:
    """Note all that a change of the week reaches, in the transaction that makes the change."""
    names, over_stored, lookahead_weeks = zip(*(mark for metric in metrics() for mark in metric.marks()), strict=True)
    transaction.run("mark_due", week=week, metrics=[*names], over_stored=[*over_stored], reaches=[*lookahead_weeks])
