"""Dead letters: messages that died, recorded in PostgreSQL with their failure, and replayed on request."""

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

from otcpipe.errors import Invalid
from otcpipe.pipeline.failures import Failure, storable
from otcpipe.pipeline.ledger import Run
from otcpipe.storage.postgres import Database, Row

ReadMessage = Callable[[bytes], Run]  # the run that a message requests; raises Invalid if it requests none
MAX_CHARACTERS = 100_000  # of a text in a dead letter
UNREADABLE = "DecodeError"  # the error class of a message that is damaged or was written by something else


@dataclass(frozen=True)
class DeadMessage:
    """A dead message as Redis keeps it until it is recorded. `failure` is None if the worker could not record it."""

    redis_message_id: str
    queue: str
    message: bytes
    last_at: datetime
    failure: Failure | None
    actor: str | None = None
    first_at: datetime | None = None
    name: bytes = b""  # the id's bytes in Redis, which need not be text


def record(database: Database, dead: DeadMessage, read: ReadMessage) -> bool:
    """Record the dead letter and fail the run, once. Returns False while a worker holds the lease."""
    run, doubt = _run_of(dead, read)
    failure = dead.failure or Failure("Unknown" if run else UNREADABLE, doubt, None, 1)
    letter = {
        **dict.fromkeys(("stage", "key", "generation", "week_ending", "tier", "request", "is_last", "code_version")),
        **(run.entry() if run else {}),
        **{name: value for name, value in asdict(dead).items() if name not in ("failure", "name")},
        **asdict(failure),
    }
    for name, value in letter.items():
        if isinstance(value, str):
            letter[name] = storable(value[:MAX_CHARACTERS])
    with database.transaction() as transaction:
        found = transaction.row("lease_of", **run.identity()) if run else None
        if found and found["is_held"]:
            return False
        is_new = transaction.run("add_letter", **letter, is_done=bool(found and found["is_done"]))
        if run and is_new:
            transaction.run("fail_run", **run.identity(), reason=failure.reason)
    return True


def _run_of(dead: DeadMessage, read: ReadMessage) -> tuple[Run | None, str]:
    """Return the run that a dead message requests, or None, and the reason to give if none was recorded."""
    if dead.failure and dead.failure.error_class == UNREADABLE:
        return None, ""
    try:
        return read(dead.message), "The worker could not record the reason."
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
    """Return the dead letters that match, newest first; with `every=False` only the open ones."""
    filters = {"stage": stage, "week_ending": week_ending, "error": error, "since": since}
    with database.transaction() as transaction:
        return transaction.rows("letters", ids=list(ids) if ids else None, every=every, **filters)


def replay(database: Database, letter: Row, read: ReadMessage) -> Run | None:
    """Make a dead letter's run due again and return it, to be sent; None if the letter is no longer open.

    Raises Invalid, and changes nothing, if the message still cannot be read.
    """
    with database.transaction() as transaction:
        if not transaction.row("take_letter", letter_id=letter["letter_id"]):
            return None
        run = read(bytes(letter["message"]))
        transaction.run("request_run", **run.entry())
        transaction.run("address_letter", letter_id=letter["letter_id"], **run.entry())
        return run


def purge(database: Database, before: datetime, *, is_dry: bool) -> Row:
    """Delete dead letters older than `before` unless `is_dry`; return how many they are, and how many are open."""
    with database.transaction() as transaction:
        counts = transaction.rows("old_letters", before=before)[0]
        if not is_dry:
            transaction.run("purge_letters", before=before)
        return counts


def moment(milliseconds: float) -> datetime | None:
    """Return the moment so many milliseconds after 1970; None if it is outside of the calendar."""
    try:
        return datetime.fromtimestamp(milliseconds / 1000, UTC)
    except (ValueError, OverflowError, OSError):
        return None
