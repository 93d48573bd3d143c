"""Commands that show."""

from otcpipe import ledger, services, weeks
from otcpipe.cli.console import print_json, print_table, say
from otcpipe.records import TIERS
from otcpipe.warehouse import Row

STATUS = {
    "week_ending": "week ending",
    "tier": "tier",
    "state": "state",
    "stage": "stage",
    "rows": "rows",
    "records": "records",
    "totals": "totals",
    "rejects": "rejects",
    "captures": "captures",
    "reason": "reason",
}


def status(week: str | None, *, as_json: bool) -> None:
    """All partitions that were ever asked for, or the three of one week."""
    now = services.settings().now()
    friday = weeks.parse_week(week, now) if week else None
    rows = ledger.partitions(services.warehouse(), friday)
    if friday:
        known = {row["tier"]: row for row in rows}
        rows = [known.get(tier) or _untouched(tier, friday, weeks.state_of(friday, tier, now)) for tier in TIERS]
    if as_json:
        print_json(rows)
    elif rows:
        print_table(STATUS, rows)
    else:
        say("Nothing was imported or enqueued yet: `otcpipe import FILE` or `otcpipe enqueue --week DATE`.")


def _untouched(tier: str, friday: object, state: str) -> Row:
    empty = dict.fromkeys(("stage", "reason", "rows", "records", "totals", "rejects", "reconciled", "source"))
    more = dict.fromkeys(("observed_at", "raw_key", "normalized_key"))
    return {"week_ending": friday, "tier": tier, "state": state, "captures": 0} | empty | more
