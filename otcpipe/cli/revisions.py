"""Show restatements, and what they did to the metrics."""

from collections.abc import Sequence

from otcpipe import resources, weeks
from otcpipe.audit import revisions as _revisions
from otcpipe.cli.console import print_json, print_table, say
from otcpipe.storage.postgres import Row

COLUMNS = {
    "week_ending": "week ending",
    "tier": "tier",
    "observed_at": "observed",
    "days_late": "days late",
    "change": "change",
    "symbol": "symbol",
    "venue_name": "venue",
    "share_volume_before": "shares before",
    "share_volume_after": "shares after",
    "trade_count_before": "trades before",
    "trade_count_after": "trades after",
    "updated_on_after": "updated",
}
MAX_LABELLED = 20  # revisions whose labels are listed below the table
EFFECTS = {
    "restated_week": "restated week",
    "observed_at": "observed",
    "metric": "metric",
    "week_ending": "of week",
    "rows": "rows",
    "words": "changed trend, band or rank",
    "names": "symbols or venues",
}


def revisions(week: str | None, symbol: str | None, *, with_effect: bool, as_json: bool) -> None:
    """Print what changed after publication, newest week last; `with_effect`, what each change did to the metrics."""
    friday = weeks.parse_week(week, resources.settings().now()) if week else None
    changes = _revisions.revisions(resources.database(), friday, symbol)
    effects = _revisions.effects(resources.database(), changes) if with_effect else []
    if as_json:
        print_json(effects if with_effect else changes)
        return
    if not changes:
        say("No record was restated or relabelled.")
        return
    print_table(COLUMNS, changes)
    _show_labels([row for row in changes if row["relabelled"]])
    if with_effect:
        say("Rows of the metrics that differ from the moment before each observation:")
        print_table(EFFECTS, [row | {"names": ", ".join(row["names"][:10])} for row in effects])


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
