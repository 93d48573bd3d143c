"""Show dead letters."""

from collections.abc import Sequence
from datetime import UTC, datetime

from otcpipe import resources, weeks
from otcpipe.cli.console import limited, print_table, say, say_all
from otcpipe.cli.form import Form
from otcpipe.cli.output import print_json, write
from otcpipe.cli.tables import Column, key
from otcpipe.errors import Invalid
from otcpipe.pipeline import dead_letters, definition
from otcpipe.storage.postgres import Row
from otcpipe.text.printable import sentence

CLASSES = {
    "error_class": key("Error"),
    "stage": key("Stage"),
    "letters": key("Letters"),
    "newest": Column("Newest"),
    "reason": key("Newest reason", is_prose=True),
}
LETTERS = {
    "letter_id": key("Letter"),
    "state": Column("State"),
    "stage": key("Stage"),
    "week_ending": key("Week ending"),
    "tier": key("Tier"),
    "error_class": Column("Error"),
    "attempts": Column("Attempts"),
    "last_at": Column("Died, UTC"),
    "reason": key("Reason", is_prose=True),
}
MEMBERS = ("letter_id", "state", "queue", "actor", "stage", "key", "generation", "week_ending", "tier", "attempts")
SHOWN = (*MEMBERS, "code_version", "first_at", "last_at", "replayed_at", "resolved_at", "error_class", "reason")


def list_(
    stage: str | None,
    week: str | None,
    error: str | None,
    since: str | None,
    limit: int | None,
    form: Form,
    *,
    every: bool,
) -> None:
    """Print dead letters, newest first and open ones by default, by error class and then one by one."""
    found, left_out = limited(find(stage, week, error, since, every=every), limit)
    if write(form, [_as_row(row) for row in found], SHOWN):
        return
    if not found:
        say("No dead letters." if every else "No open dead letters.")
        return
    print_table(CLASSES, _by_class(found))
    say("")
    print_table(LETTERS, found)
    say_all([left_out])
    say("See one with `otcpipe dlq show ID`; when its cause is fixed, run `otcpipe dlq replay ID`.")


def show(letter_id: int, *, as_json: bool) -> None:
    """Print all fields of a letter, its message and its traceback. Raises Invalid if it does not exist."""
    letter = by_ids([letter_id])[0]
    message = bytes(letter["message"]).decode(errors="replace")
    if as_json:
        print_json([_as_row(letter) | {"message": message, "traceback": letter["traceback"]}])
        return
    for name in SHOWN:
        if letter[name] is not None:
            say(f"{name:<13} {sentence(str(letter[name]))}")
    say(f"{'message':<13} {message}")
    if letter["traceback"]:
        say("", *letter["traceback"].rstrip().split("\n"))


def find(stage: str | None, week: str | None, error: str | None, since: str | None, *, every: bool) -> list[Row]:
    """Return open letters, or with `every` all, newest first; each argument that is given narrows them."""
    now = resources.settings().now()
    return dead_letters.find(
        resources.database(),
        stage=definition.named(stage).name if stage else None,
        week_ending=weeks.parse_week(week, now) if week else None,
        error=error,
        since=_midnight(since) if since else None,
        every=every,
    )


def by_ids(ids: Sequence[int]) -> list[Row]:
    """Return the letters with these numbers, in this order; raises Invalid if one does not exist."""
    found = {row["letter_id"]: row for row in dead_letters.find(resources.database(), ids=ids)}
    for letter_id in ids:
        if letter_id not in found:
            raise Invalid(f"No dead letter {letter_id} exists; `otcpipe dlq list --all` lists them.")
    return [found[letter_id] for letter_id in dict.fromkeys(ids)]


def _midnight(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise Invalid(f"{text!r} is not a date; write it as YYYY-MM-DD.") from None
    return weeks.check_moment(moment if moment.tzinfo else moment.replace(tzinfo=UTC))


def _by_class(found: Sequence[Row]) -> list[Row]:
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in found:
        groups.setdefault((row["error_class"], row["stage"] or ""), []).append(row)
    return [
        {
            "error_class": error,
            "stage": stage,
            "letters": len(rows),
            "newest": rows[0]["last_at"],
            "reason": rows[0]["reason"],
        }
        for (error, stage), rows in sorted(groups.items())
    ]


def _as_row(letter: Row) -> Row:
    return {name: letter[name] for name in SHOWN}
