"""Alerts: each receiver is notified of a condition once, again when it changes, and once more when it is over."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from otcpipe.monitoring import doctor
from otcpipe.monitoring.checks import CHECKS
from otcpipe.monitoring.conditions import Condition, find
from otcpipe.monitoring.context import CheckContext
from otcpipe.settings import Settings
from otcpipe.storage.postgres import Database, Row
from otcpipe.text.counting import counted
from otcpipe.text.printable import printable_lines

ASKS_FINRA = "finra"  # a check that costs a request; what FINRA does not answer shows as late
SERIOUS = ("clock", "disk")  # checks whose warnings are worth a message
MAX_LINES = 40  # of a message; more are counted
Notify = Callable[[str, str], bool]  # title and text; whether the receiver took them


@dataclass(frozen=True)
class Receiver:
    """Where messages go: its URL as a digest, its name without what is secret, and how it is notified."""

    digest: str
    name: str
    notify: Notify


@dataclass(frozen=True)
class Notification:
    """What one receiver was notified of: conditions that are new or changed, sentences of those that are over."""

    receiver: str
    new: Sequence[Condition]
    over: Sequence[str]
    was_taken: bool


def digest(url: str) -> str:
    """Return what identifies a receiver's URL without revealing it."""
    return hashlib.sha256(url.encode()).hexdigest()[:16]


def all_conditions(settings: Settings) -> list[Condition]:
    """Return the conditions of servers, then those of the work. Raises Unreachable if PostgreSQL does not answer."""
    checks = [check for check in CHECKS if check[0] not in {ASKS_FINRA, "letters"}]
    failed = [
        Condition("check", one.check, one.verdict, one.finding, one.advice or "otcpipe doctor")
        for one in doctor.examine(settings, checks)
        if one.verdict == "fail" or (one.verdict == "warn" and one.check in SERIOUS)
    ]
    return [*failed, *find(CheckContext(settings))]


def notify(database: Database, receivers: Sequence[Receiver], found: Sequence[Condition]) -> list[Notification]:
    """Notify each receiver of what changed since the last time; what it does not take is sent again next time."""
    return [notified for receiver in receivers if (notified := _notify_one(database, receiver, found))]


def _notify_one(database: Database, receiver: Receiver, found: Sequence[Condition]) -> Notification | None:
    with database.transaction() as transaction:
        rows = transaction.rows("alerts_of", receiver=receiver.digest)  # locked: two schedulers notify it once
        known = {(row["kind"], row["subject"]): row for row in rows}
        new = [one for one in found if known.get((one.kind, one.subject), {}).get("state") != one.state]
        over = _over(known, found)
        if not new and not over:
            return None
        sentences = [row["sentence"] for row in over if not row["is_event"]]
        was_taken = not (new or sentences) or receiver.notify(title(new, sentences), text(new, sentences))
        if was_taken:
            for row in over:
                transaction.run("end_alert", receiver=receiver.digest, kind=row["kind"], subject=row["subject"])
            for one in new:
                transaction.run("note_alert", receiver=receiver.digest, **vars(one))
    return Notification(receiver.name, new, sentences, was_taken)


def _over(known: dict[tuple[str, str], Row], found: Sequence[Condition]) -> list[Row]:
    current = {(one.kind, one.subject) for one in found}
    return [row for key, row in known.items() if key not in current]


def title(new: Sequence[Condition], over: Sequence[str]) -> str:
    """Return the subject of a message."""
    parts = [counted(len(new), "thing") + " to look at"] if new else []
    return "otcpipe: " + ", ".join([*parts, *([f"{len(over):,} over"] if over else [])])


def text(new: Sequence[Condition], over: Sequence[str]) -> str:
    """Return the text of a message: a sentence and a command for each condition, then what is over."""
    lines = [f"{one.sentence}\n    {one.command}" for one in new] + [f"Over: {sentence}" for sentence in over]
    more = [f"And {len(lines) - MAX_LINES:,} more: `otcpipe alert --list`."] if len(lines) > MAX_LINES else []
    return printable_lines("\n".join([*lines[:MAX_LINES], *more]))
