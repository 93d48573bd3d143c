"""What needs a person: each condition with its sentence and the command that helps.

`otcpipe alert` sends them, `otcpipe_conditions` counts them for Prometheus, and `otcpipe doctor` names the first.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from otcpipe import weeks
from otcpipe.monitoring.context import CheckContext
from otcpipe.pipeline import coverage, gaps
from otcpipe.pipeline.coverage import Cell
from otcpipe.settings import Settings
from otcpipe.storage.postgres import Database, Row
from otcpipe.text.counting import counted

KINDS = ("late", "failed", "held", "silent", "dead letter", "unreconciled", "restated")
QUIET_HOURS = timedelta(hours=6)  # after the publication of a week is due, without any answer that has it
RESTATED_DAYS = 14  # for so long a restatement is looked at


@dataclass(frozen=True)
class Condition:
    """One thing to look at: its kind, what it is about, and a state whose change is worth another message.

    An event has happened and is never over; any other condition is over when it is no longer found.
    """

    kind: str
    subject: str
    state: str
    sentence: str
    command: str
    is_event: bool = False


def find(context: CheckContext) -> list[Condition]:
    """Return the conditions of the work, by kind; raises Unreachable if PostgreSQL does not answer."""
    settings, database = context.settings, context.database
    now = settings.now()
    cells = coverage.cells(database, now, settings.since, tiers=settings.tiers)
    with database.transaction() as transaction:
        letters = transaction.rows("open_letters")
        watched = [symbol.strip().upper() for symbol in settings["ALERT_SYMBOLS"].split(",") if symbol.strip()]
        restated = transaction.rows(
            "recent_restatements", days=RESTATED_DAYS, symbols=watched, shares=int(settings["ALERT_SHARES"]), now=now
        )
    return [
        *_of_gaps(cells),
        *_silent(database, settings, now),
        *map(_of_letters, letters),
        *_unreconciled(database, settings),
        *map(_restated, restated),
    ]


def counts(found: Iterable[Condition]) -> dict[str, int]:
    """Return how many conditions there are of each kind."""
    by_kind = Counter(one.kind for one in found)
    return {kind: by_kind[kind] for kind in KINDS}


def _of_gaps(cells: list[Cell]) -> Iterator[Condition]:
    """Yield weeks that are late, failed or held; consecutive ones as one condition, new when it reaches further."""
    commands = {
        "late": "otcpipe run --week {0}",
        "failed": "otcpipe dlq list --week {0}",
        "held": "otcpipe status --week {0}",
    }
    for first, last in gaps.find(cells):
        week, tier = first.partition.week_ending, first.partition.tier
        state = f"{last.partition.week_ending} {first.stage if first.state == 'failed' else ''}".strip()
        command = commands[first.state].format(week)
        yield Condition(first.state, f"{tier} {week}", state, gaps.sentence(first, last), command)


def _silent(database: Database, settings: Settings, now: datetime) -> Iterator[Condition]:
    """Yield the tiers whose newest week has been due for hours today without an answer that has it."""
    for tier in settings.tiers:
        week = weeks.newest_published(now, tier)
        due = weeks.due_at(week, tier)
        if not due + QUIET_HOURS <= now < due + timedelta(days=1):
            continue
        with database.transaction() as transaction:
            if transaction.rows("has_capture", week_ending=week, tier=tier)[0]["has_capture"]:
                continue
        sentence = f"{tier}, week ending {week}: nothing was fetched, although it was due at 6:00 in New York today."
        yield Condition("silent", tier, str(week), sentence, f"otcpipe run --week {week} --tier {tier}")


def _of_letters(row: Row) -> Condition:
    sentence = f"{counted(row['letters'], 'open dead letter')} of {row['stage']}."
    return Condition(
        "dead letter", row["stage"], str(row["letters"]), sentence, f"otcpipe dlq list --stage {row['stage']}"
    )


def _unreconciled(database: Database, settings: Settings) -> Iterator[Condition]:
    with database.transaction() as transaction:
        rows = transaction.rows("unreconciled", tiers=list(settings.tiers))
    for row in rows:
        week, tier = row["week_ending"], row["tier"]
        sentence = (
            f"{tier}, week ending {week}: {counted(row['symbols'], 'symbol does', 'symbols do')} not add up to "
            "FINRA's own totals."
        )
        command = f"otcpipe enqueue --week {week} --tier {tier} --refresh"
        yield Condition("unreconciled", f"{tier} {week}", str(row["capture_id"]), sentence, command)


def _restated(row: Row) -> Condition:
    week, tier, capture = row["week_ending"], row["tier"], row["capture_id"]
    what = f"{row['shares']:,.0f} shares of {counted(row['symbols'], 'symbol')}"
    watched = f", {', '.join(row['watched'])} among them" if row["watched"] else ""
    sentence = f"{tier}, week ending {week}: FINRA restated {what}{watched}."
    command = f"otcpipe revisions --week {week}"
    return Condition("restated", f"{tier} {week} {capture}", str(capture), sentence, command, is_event=True)
