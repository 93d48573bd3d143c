"""The tables that must be equal after every run, and the difference between two runs."""

from collections import Counter
from collections.abc import Callable, Mapping
from difflib import unified_diff
from pathlib import Path
from typing import Any

from otcpipe import resources
from otcpipe.metrics import completion, definitions, history
from otcpipe.pipeline import ledger

Query = Callable[[str], list[tuple[Any, ...]]]
Tables = dict[str, list[str]]  # by name: one sorted line for each row
SHOWN = 12  # lines of a table's difference in an error; the file has all of them

# Left out: ids of captures and names, times, counts of attempts, and object keys, which begin with each run's own
# prefix; digests replace them.
COMPARED_COLUMNS = {
    "revisions": """
        select r.week_ending, r.tier, r.venue_type, r.symbol, r.product_type, r.mpid, r.firm_crd,
            i.name as issue_name, v.name as venue_name, r.share_volume, r.trade_count, r.notional, r.published_on,
            r.updated_on,
            b.source as opened_by, b.digest as opened_by_digest, e.source as closed_by, e.digest as closed_by_digest
        from otc_internal.volume_record as r
        left join otc.capture as b on b.capture_id = r.opened_by
        left join otc.capture as e on e.capture_id = r.closed_by
        left join otc_internal.name as i on i.name_id = r.issue_name_id
        left join otc_internal.name as v on v.name_id = r.venue_name_id
    """,
    "captures": """
        select distinct week_ending, tier, source, covers, digest, published_on, record_total, added_columns,
            reconciled, unreconciled, rows, records, totals, rejects, is_withdrawn, persisted_at is not null as is_in
        from otc.capture
    """,
    "current": "select to_jsonb(v) - 'observed_at' - 'raw_key' as row from otc.venue_volume as v",
    "rejects": "select to_jsonb(r) - 'raw_key' as row, right(r.raw_key, 71) as digest from otc.reject as r",
    "weekly_quality": "select to_jsonb(q) - 'judged_at' - 'capture_id' as row from otc.weekly_quality as q",
    "capture_quality": """
        select distinct to_jsonb(q) - 'judged_at' - 'capture_id' as row from otc.capture_quality as q
    """,
    "decisions": """
        select kind, week_ending, tier, reason, grade, score from otc_internal.decision where kind <> 'want'
    """,
    "wanted": "select tier, min(week_ending) from otc_internal.decision where kind = 'want' group by tier",
    "acceptances": "select to_jsonb(a) - 'accepted_at' as row from otc.acceptance as a",
    "held": "select week_ending, tier from otc.held_partition",
    "trading_weeks": "select week_ending, trading_days, half_days from otc.trading_week",
    "due": "select to_jsonb(d) as row from otc_internal.metric_due as d",
}
KNOWN = """
    select to_jsonb(v) - 'observed_at' - 'available_at' - 'raw_key' as row
    from otc.venue_volume_as_of('{}') as v
"""

KNOWN_METRIC = """
    select to_jsonb(h) - array['known_from', 'known_until', 'certainty', 'opened_by', 'closed_by'] as row
    from otc.{0}_history as h
    where known_from <= '{1}' and (known_until > '{1}' or known_until is null)
"""

COUNTS = ("rows", "records", "totals", "rejects")
STATUS = ("week_ending", "tier", "state", "reason", "grade", *COUNTS, "reconciled", "source")


def read(query: Query, moments: Mapping[str, object]) -> Tables:
    """Return the tables as they are, and what was known at each moment according to them."""
    asked = COMPARED_COLUMNS | {f"known {name}": KNOWN.format(moment) for name, moment in moments.items()}
    metrics = definitions.metrics()
    completion.complete(resources.database())
    history.build(resources.database(), [metric.name for metric in metrics])
    for metric in metrics:
        asked[metric.name] = f"select to_jsonb(m) - 'computed_at' as row from otc.{metric.name} as m"
        for name, moment in moments.items():
            asked[f"{metric.name} {name}"] = KNOWN_METRIC.format(metric.name, moment)
    found = {name: sorted(map(str, query(text))) for name, text in asked.items()}
    status = [tuple(row[name] for name in STATUS) for row in ledger.partitions(resources.database())]
    return found | {"status": sorted(map(str, status))}


def difference(expected: Tables, found: Tables) -> dict[str, list[str]]:
    """Return for each table that differs the lines that only one side has: - expected, + found."""
    return {name: lines for name in expected if (lines := _apart(expected[name], found[name]))}


def summary(differences: Mapping[str, list[str]]) -> str:
    """Return the first lines of each difference, with their number."""
    said = []
    for name, lines in differences.items():
        missing = sum(line.startswith("-") for line in lines)
        said.append(f"{name}: {missing:,} rows are missing, {len(lines) - missing:,} are too many")
        said += [f"  {line}" for line in lines[:SHOWN]]
    return "\n".join(said)


def save(folder: Path, expected: Tables, found: Tables) -> None:
    """Write both sides of every table, and the difference if they differ."""
    for name in expected:
        for side, rows in (("expected", expected[name]), ("found", found[name])):
            path = folder / side / f"{name}.txt"
            path.parent.mkdir(exist_ok=True)
            path.write_text("\n".join(rows) + "\n")
        changes = list(unified_diff(expected[name], found[name], "expected", "found", n=0, lineterm=""))
        if changes:
            (folder / f"{name}.diff").write_text("\n".join(changes) + "\n")


def _apart(expected: list[str], found: list[str]) -> list[str]:
    counted = Counter(expected), Counter(found)
    missing, extra = counted[0] - counted[1], counted[1] - counted[0]
    return [f"- {row}" for row in sorted(missing.elements())] + [f"+ {row}" for row in sorted(extra.elements())]
