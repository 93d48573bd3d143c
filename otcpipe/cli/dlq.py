"""Commands on dead letters."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from otcpipe import resources, weeks
from otcpipe.broker import actors, messages
from otcpipe.cli.console import counted, print_json, print_table, say
from otcpipe.errors import Invalid, OtcpipeError
from otcpipe.pipeline import dead_letters, definition
from otcpipe.pipeline.ledger import Run
from otcpipe.storage.postgres import Row
from otcpipe.text.printable import sentence

CLASSES = {
    "error_class": "error",
    "stage": "stage",
    "letters": "letters",
    "newest": "newest",
    "reason": "newest reason",
}
LETTERS = {
    "letter_id": "letter",
    "state": "state",
    "stage": "stage",
    "week_ending": "week ending",
    "tier": "tier",
    "error_class": "error",
    "attempts": "attempts",
    "last_at": "died",
    "reason": "reason",
}
MEMBERS = ("letter_id", "state", "queue", "actor", "stage", "key", "generation", "week_ending", "tier", "attempts")
TOLD = (*MEMBERS, "code_version", "first_at", "last_at", "replayed_at", "resolved_at", "error_class", "reason")


def list_(
    stage: str | None, week: str | None, error: str | None, since: str | None, *, every: bool, as_json: bool
) -> None:
    """The open letters, or all, by error class and then one by one."""
    found = _find(stage, week, error, since, every=every)
    if as_json:
        print_json([_told(row) for row in found])
        return
    if not found:
        say("No dead letters." if every else "No open dead letters.")
        return
    print_table(CLASSES, _by_class(found))
    say("")
    print_table(LETTERS, found)
    say("See one with `otcpipe dlq show ID`; when its cause is mended, `otcpipe dlq replay ID`.")


def show(letter_id: int, *, as_json: bool) -> None:
    """All that is known of a letter, its message and its traceback."""
    letter = _of([letter_id])[0]
    message = bytes(letter["message"]).decode(errors="replace")
    if as_json:
        print_json([_told(letter) | {"message": message, "traceback": letter["traceback"]}])
        return
    for name in TOLD:
        if letter[name] is not None:
            say(f"{name:<13} {sentence(str(letter[name]))}")
    say(f"{'message':<13} {message}")
    if letter["traceback"]:
        say("", *letter["traceback"].rstrip().split("\n"))


def replay(ids: Sequence[int], stage: str | None, error: str | None, *, limit: int | None, is_dry: bool) -> None:
    """Run the letters' own stages on their own keys again; one that was replayed or came through is left alone."""
    if bool(ids) == bool(stage or error):
        raise Invalid("Name letters by their numbers, or by --stage and --error.")
    found = _of(ids) if ids else _find(stage, None, error, None, every=False)[:limit]
    if not is_dry:
        actors.ping()
    failures = [row for row in found if not _replay(row, is_dry=is_dry)]
    if not found:
        say("No open dead letters fit.")
    if failures:
        raise OtcpipeError(f"{counted(len(failures), 'letter')} of {len(found)} cannot be replayed.")


def purge(days: int, *, yes: bool) -> None:
    """Remove old letters for good."""
    before = resources.settings().now() - timedelta(days=days)
    counts = dead_letters.purge(resources.database(), before, is_dry=not yes)
    what = f"{counted(counts['letters'], 'letter')} of before {before:%Y-%m-%d}, {counts['open']:,} of them open"
    say(f"Removed {what}." if yes else f"Would remove {what}: say --yes.")


def _replay(letter: Row, *, is_dry: bool) -> bool:
    where = f"Letter {letter['letter_id']}"
    if letter["state"] != "open":
        say(f"{where} is {letter['state']} already.")
        return True
    try:
        run = messages.read(bytes(letter["message"])) if is_dry else _run_of(letter)
    except Invalid as error:
        say(f"{where} stays: {error} If its run is due, `otcpipe reconcile` sends it again.")
        return False
    if run is None:
        say(f"{where} was replayed, or came through, meanwhile.")
    else:
        say(f"{where}: {run.stage.name} {'would run' if is_dry else 'runs'} again on {run.key}.")
    return True


def _run_of(letter: Row) -> Run | None:
    run = dead_letters.replay(resources.database(), letter, messages.read)
    if run:
        actors.send(run)
    return run


def _find(stage: str | None, week: str | None, error: str | None, since: str | None, *, every: bool) -> list[Row]:
    now = resources.settings().now()
    return dead_letters.find(
        resources.database(),
        stage=definition.named(stage).name if stage else None,
        week_ending=weeks.parse_week(week, now) if week else None,
        error=error,
        since=_midnight(since) if since else None,
        every=every,
    )


def _of(ids: Sequence[int]) -> list[Row]:
    found = {row["letter_id"]: row for row in dead_letters.find(resources.database(), ids=ids)}
    for letter_id in ids:
        if letter_id not in found:
            raise Invalid(f"There is no dead letter {letter_id}.")
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


def _told(letter: Row) -> Row:
    return {name: letter[name] for name in TOLD}
