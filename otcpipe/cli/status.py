"""Commands that show."""

from collections.abc import Sequence

from otcpipe import resources, weeks
from otcpipe.audit import revisions as _revisions
from otcpipe.cli.console import print_json, print_table, say
from otcpipe.datasets import TIERS
from otcpipe.pipeline import ledger, oddities
from otcpipe.storage.postgres import Row

STATUS = {
    "week_ending": "week ending",
    "tier": "tier",
    "state": "state",
    "stage": "stage",
    "grade": "g",
    "rows": "rows",
    "records": "records",
    "totals": "totals",
    "rejects": "rejects",
    "captures": "captures",
    "reason": "reason",
}
REVISIONS = {
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
LABELLED = 20  # revisions whose labels are listed below the table
EFFECTS = {
    "restated_week": "restated week",
    "observed_at": "observed",
    "metric": "metric",
    "week_ending": "of week",
    "rows": "rows",
    "words": "in trend, band or rank",
    "names": "of",
}


def status(week: str | None, *, as_json: bool) -> None:
    """All partitions that were ever asked for, or the three of one week."""
    now = resources.settings().now()
    friday = weeks.parse_week(week, now) if week else None
    rows = [row for row in ledger.partitions(resources.database(), friday) if row["week_ending"] <= weeks.today(now)]
    for row in rows:
        if row["state"] == "absent":
            row["state"] = weeks.state_of(row["week_ending"], row["tier"], now)
    if friday:
        known = {row["tier"]: row for row in rows}
        rows = [known.get(tier) or _untouched(tier, friday, weeks.state_of(friday, tier, now)) for tier in TIERS]
    if as_json:
        print_json(rows)
    elif rows:
        print_table(STATUS, rows)
    else:
        say("Nothing was imported or enqueued yet: `otcpipe import FILE` or `otcpipe enqueue --week DATE`.")
    if not as_json:
        for sentence in oddities.find(resources.database(), now):
            say(sentence)


def revisions(week: str | None, symbol: str | None, *, with_effect: bool, as_json: bool) -> None:
    """The restatement ledger, newest week last; with its effect on the metrics where asked for."""
    friday = weeks.parse_week(week, resources.settings().now()) if week else None
    changes = _revisions.revisions(resources.database(), friday, symbol)
    effects = _revisions.effects(resources.database(), changes) if with_effect else []
    if as_json:
        print_json(effects if with_effect else changes)
        return
    if not changes:
        say("No record was restated or relabelled.")
        return
    print_table(REVISIONS, changes)
    _show_labels([row for row in changes if row["relabelled"]])
    if with_effect:
        say("Rows of the metrics that differ from the moment before each observation:")
        print_table(EFFECTS, [row | {"names": ", ".join(row["names"][:10])} for row in effects])


def _show_labels(changes: Sequence[Row]) -> None:
    for row in changes[:LABELLED]:
        place = f"{row['symbol'] or 'no symbol'} at {row['venue_name'] or 'no name'}"
        say(f"{place}, {row['week_ending']}: {_labels(row)}.")
    if len(changes) > LABELLED:
        say(f"{len(changes) - LABELLED:,} more were relabelled: --json lists each with its labels before and after.")


def _labels(row: Row) -> str:
    """Each label of a revision that differs, before and after, as "firm_crd: none to 7"."""
    pairs = {name: [row[f"{name}_{when}"] for when in ("before", "after")] for name in row["relabelled"]}
    return "; ".join(
        f"{name}: {' to '.join('none' if label is None else str(label) for label in pair)}"
        for name, pair in pairs.items()
    )


def _untouched(tier: str, friday: object, state: str) -> Row:
    empty = dict.fromkeys(
        ("stage", "grade", "reason", "rows", "records", "totals", "rejects", "reconciled", "source")
    )
    more = dict.fromkeys(("observed_at", "raw_key", "normalized_key"))
    return {"week_ending": friday, "tier": tier, "state": state, "captures": 0} | empty | more
