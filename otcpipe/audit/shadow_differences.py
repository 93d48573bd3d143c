"""How a week of the shadow differs from what is live: rows of captures, rejects, records and metrics."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from datetime import date

from otcpipe.audit.shadow import SCHEMA, Outline
from otcpipe.metrics import catalog
from otcpipe.metrics.definitions import metrics
from otcpipe.storage.comparison import Comparison
from otcpipe.storage.postgres import Database, Row, Transaction
from otcpipe.storage.selection import Selection

IDENTITY = ("tier", "venue_type", "symbol", "issue_name", "product_type", "mpid", "firm_crd", "venue_name")
TABLES = {  # by name: the statement of its rows, and what identifies one
    "capture": Comparison(Selection("compared_captures"), ("tier", "capture_id"), SCHEMA),
    "reject": Comparison(Selection("compared_rejects"), ("raw_key", "line"), SCHEMA),
    "volume_record": Comparison(
        Selection("compared_records"),
        (*IDENTITY, "opened_by"),
        SCHEMA,
    ),
}


@dataclass(frozen=True)
class TableDifference:
    """A week of a table: rows that only the shadow has, only the live table has, and those that both have otherwise.

    `columns` counts the changed rows by column. `moves` counts them by the words that they had and have, of bands,
    trends and grades. `examples` are a few rows.
    """

    week_ending: date
    table: str
    added: int
    removed: int
    changed: int
    columns: dict[str, int]
    moves: list[Row]
    examples: list[Row]

    def __bool__(self) -> bool:
        """Return whether there is any difference."""
        return bool(self.added or self.removed or self.changed)


@dataclass
class WeekDifference:
    """What differs in a week, and notes on what could not be compared."""

    week_ending: date
    tables: list[TableDifference] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def rows(self) -> list[Row]:
        """Return a row for each table that differs."""
        return [asdict(one) for one in self.tables]


def compare(database: Database, chosen: Outline, week: date) -> WeekDifference:
    """Compare a week of the shadow with what is live, from one state of the database."""
    result = WeekDifference(week)
    with database.snapshot() as transaction:
        transaction.rows("plan_for_a_week")
        if transaction.rows("has_changed_since", week=week)[0]["has_changed"]:
            result.notes.append(f"Captures of the week ending {week} changed meanwhile: run the shadow again.")
        due = _due(transaction, week)
        for name, comparison in (TABLES | _metrics(chosen, week)).items():
            if name in due:
                result.notes.append(f"{name} of the week ending {week} is not computed yet: it was not compared.")
                continue
            found = TableDifference(week, name, **transaction.compare(comparison, week=week))
            if found:
                result.tables.append(found)
    return result


def uncompared(chosen: Outline) -> Iterator[str]:
    """Yield a sentence for each metric that reads more weeks than are run."""
    for metric in metrics():
        if not all(chosen.is_comparable(metric, week) for week in chosen.weeks):
            yield (
                f"{metric.name} reads {metric.lookahead_weeks} weeks before its own: it is compared only where these"
                " are run, as with --all."
            )


def _metrics(chosen: Outline, week: date) -> dict[str, Comparison]:
    comparable = (metric.name for metric in metrics() if chosen.is_comparable(metric, week))
    tables = (catalog.table(name) for name in comparable)
    return {
        one.name: Comparison(Selection("compared_metric", one.name, one.names), one.keys, SCHEMA) for one in tables
    }


def _due(transaction: Transaction, week: date) -> set[str]:
    """Return the live metrics of the week that are still to be computed."""
    rows = transaction.rows("due_metrics", week=week)
    return {row["metric"] for row in (*rows, *transaction.rows("incomplete_metrics", first=week, last=week))}
