"""The metrics that `schema/metrics` defines: how far each looks ahead, what it reads, and what a change makes due."""

import re
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache

from otcpipe.errors import Outdated, Unready
from otcpipe.storage import sql
from otcpipe.storage.postgres import Database, Transaction

WEEK = timedelta(days=7)
_REACHES = re.compile(r"^-- reaches: (\d+)(, over stored rows)?( only)?(, deferred)?$", re.MULTILINE)
DATASETS = ("market_volume", "consolidated_volume", "stock_split")  # imported from files of users
_DATASET = re.compile(rf"otc\.({'|'.join(DATASETS)})_as_of\(")
_FORMULA = re.compile(r"^-- formula: (.+)$", re.MULTILINE)


@dataclass(frozen=True)
class Metric:
    """One file of `schema/metrics`.

    A week's records affect this metric in that week and in `lookahead_weeks` following weeks. `reads` are the metrics
    that it is computed from. If `reads_stored_weeks`, it reads stored metrics of earlier weeks; it is computed after
    these, and needs the records of its own week only, or none (`needs_records`). If `is_deferred`, it is computed
    when all weeks that it reads have settled, and not by the computation of a week.
    """

    name: str
    lookahead_weeks: int
    reads_stored_weeks: bool
    needs_records: bool
    is_deferred: bool
    reads: frozenset[str]
    formula: str

    def last_affected(self, week: date) -> date:
        """Return the last week of the metric that a week's records affect."""
        return week + self.lookahead_weeks * WEEK

    def marks(self) -> list[tuple[str, bool, int]]:
        """Return what a change of a week's records makes due: (name, reads stored weeks, following weeks)."""
        if self.is_deferred:
            return []
        if not self.reads_stored_weeks:
            return [(self.name, False, self.lookahead_weeks)]
        return [(self.name, False, 0)] * self.needs_records + [(self.name, True, self.lookahead_weeks)]


@cache
def metrics() -> tuple[Metric, ...]:
    """Return all metrics, each after those that it reads."""
    return tuple(_metric(name, text) for name, text in sql.metric_files().items())


def _metric(name: str, text: str) -> Metric:
    reach, formula = _reach(name, text), _FORMULA.search(text)
    weeks, *flags = reach.groups()
    is_over_stored, is_over_stored_only, is_deferred = map(bool, flags)
    reads = sql.metric_reads(text)
    text = formula[1] if formula else ""
    return Metric(name, int(weeks), is_over_stored, not is_over_stored_only, is_deferred, reads, text)


def _reach(name: str, text: str) -> re.Match[str]:
    reach = _REACHES.search(text)
    if not reach:
        raise ValueError(f"schema/metrics/{name}.sql lacks the line `-- reaches: N`, N following weeks.")
    return reach


def named(name: str) -> Metric:
    """Return the metric with this name; raises StopIteration if there is none."""
    return next(metric for metric in metrics() if metric.name == name)


def lookback_weeks(table: str) -> int | None:
    """Return how many weeks before its own a row of a metric or a derived table builds on; None for the records."""
    texts = sql.metric_files() | sql.derived_files()
    return int(_reach(table, texts[table])[1]) if table in texts else None


def dataset_of(table: str) -> str | None:
    """Return which of the imported datasets a metric reads; None for most."""
    found = _DATASET.search(sql.metric_files().get(table, ""))
    return found[1] if found else None


def readers_of(dataset: str) -> list[Metric]:
    """Return the metrics that read an imported dataset."""
    return [metric for metric in metrics() if dataset_of(metric.name) == dataset]


def mark_readers_due(transaction: Transaction, dataset: str, weeks: list[date]) -> list[date]:
    """Mark as due what a change of an imported dataset in some weeks affects; return the weeks to compute.

    Weeks of deferred metrics become incomplete, and are not among them. Raises as `require_known` does.
    """
    require_known(transaction)
    readers = readers_of(dataset)
    now = {metric.name: metric.lookahead_weeks for metric in readers if not metric.is_deferred}
    rows = transaction.rows("mark_readers_due", metrics=[*now], reaches=[*now.values()], weeks=weeks)
    deferred = {metric.name: metric.lookahead_weeks for metric in readers if metric.is_deferred}
    for week in weeks if deferred else []:
        transaction.run("note_deferred_change", week=week, metrics=[*deferred], reaches=[*deferred.values()])
    return sorted({row["week_ending"] for row in rows})


def max_lookahead() -> int:
    """Return how many weeks after its own a record can affect: the most of any metric that is not deferred."""
    return max(metric.lookahead_weeks for metric in metrics() if not metric.is_deferred)


def read_over_weeks() -> set[str]:
    """Return the metrics over stored rows that others read, of earlier weeks too; these wait for them."""
    over_stored = {metric.name for metric in metrics() if metric.reads_stored_weeks}
    return {
        name for metric in metrics() if not metric.is_deferred for name in metric.reads - {metric.name}
    } & over_stored


@cache
def settling() -> dict[str, list[object]]:
    """Return the metrics that a computation stores over rows of several weeks: names, reaches, and what they read.

    They are the parameters of `settled_metrics`; of what is read, only metrics over stored rows matter.
    """
    over_stored = [metric for metric in metrics() if metric.reads_stored_weeks and not metric.is_deferred]
    names = {metric.name for metric in over_stored}
    return {
        "metrics": [metric.name for metric in over_stored],
        "reaches": [metric.lookahead_weeks for metric in over_stored],
        "reads": [",".join(sorted(metric.reads & names - {metric.name})) for metric in over_stored],
    }


def require_known(transaction: Transaction) -> None:
    """Raise Outdated if the database has metrics that this process lacks, Unready the other way round.

    A metric that one of the two does not know would be left out of what becomes due.
    """
    rows = transaction.rows("other_metrics", metrics=[metric.name for metric in metrics()])
    lacking = [row["metric"] for row in rows if row["is_removed"]]
    if lacking:
        raise Outdated(
            f"The database has metrics that this process does not know ({', '.join(lacking)}): restart it if they"
            " were added, or run `otcpipe migrate` if they were removed."
        )
    if rows:
        added = ", ".join(row["metric"] for row in rows)
        raise Unready(f"The database does not know the metrics {added}: run `otcpipe migrate`.")


def migrate(database: Database) -> tuple[list[str], list[str]]:
    """Migrate to this release; return the migrations that were applied, and the metrics now due in all loaded weeks.

    Raises as `Database.migrate` does.
    """
    applied = database.migrate()
    with database.transaction() as transaction:
        return applied, mark_new(transaction)


def mark_new(transaction: Transaction) -> list[str]:
    """Mark metrics that were added as due in all weeks that are loaded; return them if there are such weeks.

    Those that were removed are forgotten, so that one that returns is computed as if it were new.
    """
    known = [metric.name for metric in metrics()]
    if transaction.rows("other_metrics", metrics=known):
        transaction.run("lock_known_metrics")
    transaction.run("forget_metrics", metrics=known)
    marks = [(name, over_stored, False) for metric in metrics() for name, over_stored, _ in metric.marks()]
    marks += [(metric.name, False, True) for metric in metrics() if metric.is_deferred]
    names, over_stored, deferred = map(list, zip(*marks, strict=True))
    rows = transaction.rows("mark_new", metrics=names, over_stored=over_stored, deferred=deferred)
    return [row["metric"] for row in rows if row["weeks"]]


def mark_due(transaction: Transaction, week: date) -> None:
    """Mark as due all that a change of the week affects. Must run in the transaction that makes the change.

    Raises Outdated as `require_known` does.
    """
    require_known(transaction)
    names, over_stored, lookahead_weeks = zip(*(mark for metric in metrics() for mark in metric.marks()), strict=True)
    transaction.run("mark_due", week=week, metrics=[*names], over_stored=[*over_stored], reaches=[*lookahead_weeks])
    deferred = {metric.name: metric.lookahead_weeks for metric in metrics() if metric.is_deferred}
    transaction.run("note_deferred_change", week=week, metrics=[*deferred], reaches=[*deferred.values()])
