"""Show restatements, and what they did to the metrics."""

from collections.abc import Sequence

from otcpipe import resources, weeks
from otcpipe.audit import revisions as _revisions
from otcpipe.cli.changed_shares import shares
from otcpipe.cli.changed_values import print_values, values_of
from otcpipe.cli.console import print_table, say
from otcpipe.cli.form import Form
from otcpipe.cli.history import build_weeks
from otcpipe.cli.output import write
from otcpipe.cli.progress import track
from otcpipe.cli.tables import Column, key
from otcpipe.errors import Invalid
from otcpipe.metrics import symbols
from otcpipe.storage.postgres import Row
from otcpipe.text.counting import counted

COLUMNS = {
    "week_ending": key("Week ending"),
    "tier": key("Tier"),
    "symbol": key("Symbol"),
    "venue_name": Column("Venue", 1, is_prose=True, least=12),
    "share_volume_before": Column("Shares before", 3),
    "share_volume_after": key("Shares after"),
    "difference": Column("Difference", 2),
    "change": Column("Change", 4),
    "observed_at": Column("Observed, UTC", 5),
    "days_late": Column("Days late", 6),
    "trade_count_before": Column("Trades before", 7),
    "trade_count_after": Column("Trades after", 7),
    "updated_on_after": Column("Updated", 8),
}
MAX_NAMES = 10  # of symbols or venues in a cell
MAX_LABELLED = 20  # revisions whose labels are listed below the table
EFFECTS = {
    "restated_week": Column("Restated week", 1),
    "tier": Column("Tier", 2),
    "observed_at": Column("Observed, UTC", 3),
    "metric": key("Metric"),
    "week_ending": key("Of week"),
    "rows": key("Rows"),
    "words": Column("Changed trend, band or rank", 2),
    "names": key("Of which", is_prose=True, least=12),
}
EFFECT = ("observed_at", "restated_week", "tier", "week_ending", "metric", "rows", "words", "names")  # for programs
DEFERRED = "Deferred metrics are not compared."
VALUES = "With --symbol, the values before and after follow; SQL has them in the column effect of otc.restatement."


def revisions(week: str | None, symbol: str | None, limit: int | None, form: Form, *, with_effect: bool) -> None:
    """Print what changed after publication, newest week last; `with_effect`, what each change did to the metrics."""
    friday = weeks.parse_week(week, resources.settings().now()) if week else None
    if symbol:
        _check(symbol)
    changes = _revisions.revisions(resources.database(), friday, symbol)
    shown = _revisions.newest(changes, limit) if limit else changes
    rows = _effects(changes, shown) if with_effect else shown
    values = _revisions.values(resources.database(), symbol, shown) if with_effect and symbol else []
    if form is Form.JSON and values:
        rows = [row | {"values": values_of(row, values)} for row in rows]
    if write(form, rows, EFFECT if with_effect else changes.columns):
        return
    if not changes:
        say("No record was restated or relabelled.")
        return
    which = counted(len(changes), "change")
    if len(shown) < len(changes):
        which = f"{len(shown):,} of {which}, the newest and of a day the largest (see --limit)"
    say(f"Values that a later capture of their week changed, and what it changed them to, {which}:")
    print_table(COLUMNS, [row | shares(row) for row in shown])
    _show_labels([row for row in shown if row["relabelled"]])
    if with_effect:
        some = "" if len(shown) == len(changes) else ", with all that it changed"
        say("", f"Rows of the metrics that differ from the moment before each observation{some}:")
        print_table(EFFECTS, [row | {"names": _named(row["names"])} for row in rows])
        if symbol:
            print_values(symbol, values)
        say(DEFERRED if symbol else f"{DEFERRED} {VALUES}")


def _effects(changes: Sequence[Row], shown: Sequence[Row]) -> list[Row]:
    """Return what the observations of the shown changes did to the metrics, and show the progress."""
    build_weeks(_revisions.stale(resources.database(), shown))
    asked = track(_revisions.moments(shown), "comparing metrics")
    return _revisions.effects(resources.database(), changes, asked)


def _named(names: Sequence[str]) -> str:
    """Return the first names, and how many more there are."""
    more = len(names) - MAX_NAMES
    return ", ".join(names[:MAX_NAMES]) + (f" and {more:,} more: see --json" if more > 0 else "")


def _check(symbol: str) -> None:
    """Raise Invalid, which names the nearest symbol, if no record has it."""
    with resources.database().transaction() as transaction:
        unknown = symbols.unknown(transaction, [symbol])
    if unknown:
        raise Invalid(symbols.sentence(symbol, unknown[symbol]))


def _show_labels(changes: Sequence[Row]) -> None:
    for row in changes[:MAX_LABELLED]:
        which = f"{row['symbol'] or 'no symbol'} at {row['venue_name'] or 'no name'}"
        say(f"{which}, {row['week_ending']}: {_labels(row)}.")
    if len(changes) > MAX_LABELLED:
        say(f"{len(changes) - MAX_LABELLED:,} more were relabelled: --json lists their labels before and after.")


def _labels(row: Row) -> str:
    """Describe each label that differs, such as "firm_crd: none to 7"."""
    pairs = {name: [row[f"{name}_{when}"] for when in ("before", "after")] for name in row["relabelled"]}
    return "; ".join(
        f"{name}: {' to '.join('none' if label is None else str(label) for label in pair)}"
        for name, pair in pairs.items()
    )
