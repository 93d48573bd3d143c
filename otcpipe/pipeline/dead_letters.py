"""Dead letters: messages that died, why, and how one comes to life again."""

import json
import traceback
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

from otcpipe.errors import Invalid
from otcpipe.pipeline import ledger
from otcpipe.pipeline.ledger import Run
from otcpipe.storage.postgres import Database, Row

Read = Callable[[bytes], Run]  # the run that a message asks for; raises Invalid for one that asks for none
FRAMES = 30  # of a traceback
MOST_CHARACTERS = 100_000  # of a text in a letter
MOST_ATTEMPTS = 1_000_000_000
UNREADABLE = "DecodeError"  # the class of error of a message that is none of ours, or was damaged


@dataclass(frozen=True)
class Failure:
    """Why a message died."""

    error_class: str
    reason: str
    traceback: str | None
    attempts: int
    code_version: int | None = None  # of the stage that failed

    @classmethod
    def of(cls, error: BaseException, attempts: int, code_version: int | None = None) -> "Failure":
        trace = "".join(traceback.format_exception(error, limit=-FRAMES))
        return cls(type(error).__name__, ledger.sentence(error), ledger.legible(trace), attempts, code_version)

    @classmethod
    def read(cls, text: bytes) -> "Failure | None":
        """Return the cause that was noted as JSON; None where there is none, or it makes no sense."""
        try:
            found = cls(**json.loads(text))
        except (ValueError, TypeError, RecursionError):
            return None
        texts = (found.error_class, found.reason, found.traceback or "")
        numbers = (found.attempts, found.code_version or 0)
        is_valid = all(isinstance(one, str) for one in texts) and all(type(one) is int for one in numbers)
        return found if is_valid and all(0 <= one <= MOST_ATTEMPTS for one in numbers) else None


@dataclass(frozen=True)
class DeadMessage:
    """A dead message as Redis keeps it until it is recorded."""

    redis_message_id: str
    queue: str
    message: bytes
    last_at: datetime
    cause: Failure | None  # lost where the worker could not tell it
    actor: str | None = None
    first_at: datetime | None = None
    name: bytes = b""  # the id as it is, where it is no text


def record(database: Database, death: DeadMessage, read: Read) -> bool:
    """Write the letter, and the ledger's failure if the message asks for a run, once.

    Returns False while a worker has the run: how that ends says more.
    """
    run, doubt = _run_of(death, read)
    cause = death.cause or Failure("Unknown" if run else UNREADABLE, doubt, None, 1)
    letter = {
        **dict.fromkeys(("stage", "key", "generation", "week_ending", "tier", "request", "is_last", "code_version")),
        **(run.entry() if run else {}),
        **{name: value for name, value in asdict(death).items() if name not in ("cause", "name")},
        **asdict(cause),
    }
    for name, value in letter.items():
        if isinstance(value, str):
            letter[name] = ledger.legible(value[:MOST_CHARACTERS])
    with database.transaction() as transaction:
        found = transaction.row("lease_of", **run.identity()) if run else None
        if found and found["is_held"]:
            return False
        is_new = transaction.run("add_letter", **letter, is_done=bool(found and found["is_done"]))
        if run and is_new:
            transaction.run("fail_run", **run.identity(), reason=cause.reason)
    return True


def _run_of(death: DeadMessage, read: Read) -> tuple[Run | None, str]:
    """The run that a dead message asks for, if it asks for one, and what to say where no cause was noted."""
    if death.cause and death.cause.error_class == UNREADABLE:
        return None, ""
    try:
        return read(death.message), "The worker could not tell why."
    except Invalid as error:
        return None, str(error)


def find(
    database: Database,
    *,
    ids: Iterable[int] | None = None,
    stage: str | None = None,
    week_ending: object = None,
    error: str | None = None,
    since: datetime | None = None,
    every: bool = True,
) -> list[Row]:
    """The letters that fit, the newest first; without `every` the open ones alone."""
    asked = {"stage": stage, "week_ending": week_ending, "error": error, "since": since}
    with database.transaction() as transaction:
        return transaction.rows("letters", ids=list(ids) if ids else None, every=every, **asked)


def replay(database: Database, letter: Row, read: Read) -> Run | None:
    """Make the run of a letter due again, at its own stage and key; none when that was done before.

    The run is to be sent then. Raises Invalid for a message that still cannot be read, and nothing is changed.
    """
    with database.transaction() as transaction:
        if not transaction.row("take_letter", letter_id=letter["letter_id"]):
            return None
        run = read(bytes(letter["message"]))
        transaction.run("request_run", **run.entry())
        transaction.run("address_letter", letter_id=letter["letter_id"], **run.entry())
        return run


def purge(database: Database, before: datetime, *, is_dry: bool) -> Row:
    """Remove letters that died before a moment; how many there are, and how many of them are open."""
    with database.transaction() as transaction:
        counts = transaction.rows("old_letters", before=before)[0]
        if not is_dry:
            transaction.run("purge_letters", before=before)
        return counts


def moment(milliseconds: float) -> datetime | None:
    """Return the moment so many milliseconds after 1970; None where no calendar has it."""
    try:
        return datetime.fromtimestamp(milliseconds / 1000, UTC)
    except (ValueError, OverflowError, OSError):
        return None
