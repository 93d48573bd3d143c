"""Show the state of each partition."""

from otcpipe import resources, weeks
from otcpipe.cli.console import print_json, print_table, say
from otcpipe.datasets import TIERS
from otcpipe.pipeline import ledger, oddities
from otcpipe.storage.postgres import Row

COLUMNS = {
    "week_ending": "week ending",
    "tier": "tier",
    "state": "state",
    "stage": "stage",
    "grade": "grade",
    "rows": "rows",
    "records": "records",
    "totals": "totals",
    "rejects": "rejects",
    "captures": "captures",
    "reason": "reason",
}


def status(week: str | None, *, as_json: bool) -> None:
    """Print every partition that was ever requested, or those of one week, and oddities of the ledger."""
    settings = resources.settings()
    now = settings.now()
    friday = weeks.parse_week(week, now) if week else None
    rows = [row for row in ledger.partitions(resources.database(), friday) if row["week_ending"] <= weeks.today(now)]
    for row in rows:
        if row["state"] == "absent":
            row["state"] = weeks.state_of(row["week_ending"], row["tier"], now)
    if friday:
        known = {row["tier"]: row for row in rows}
        rows = [
            known.get(tier) or _never_requested(tier, friday, weeks.state_of(friday, tier, now))
            for tier in TIERS
            if tier in known or tier in settings.tiers
        ]
    if as_json:
        print_json(rows)
    elif rows:
        print_table(COLUMNS, rows)
    else:
        say("Nothing was imported or requested yet: `otcpipe import FILE` or `otcpipe enqueue --week DATE`.")
        say(f"The home is {settings.home}.")
    if not as_json:
        say(*oddities.find(resources.database(), now))


def _never_requested(tier: str, friday: object, state: str) -> Row:
    empty = dict.fromkeys(
        ("stage", "grade", "reason", "rows", "records", "totals", "rejects", "reconciled", "source")
    )
    more = dict.fromkeys(("observed_at", "raw_key", "normalized_key"))
    return {"week_ending": friday, "tier": tier, "state": state, "captures": 0} | empty | more
