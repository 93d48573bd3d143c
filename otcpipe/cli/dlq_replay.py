"""Replay dead letters, or remove them."""

from collections.abc import Sequence
from datetime import timedelta

from otcpipe import resources
from otcpipe.broker import actors, messages
from otcpipe.cli import dlq
from otcpipe.cli.console import say
from otcpipe.errors import Invalid, OtcpipeError
from otcpipe.pipeline import dead_letters
from otcpipe.pipeline.ledger import Run
from otcpipe.storage.postgres import Row
from otcpipe.text.counting import counted


def replay(ids: Sequence[int], stage: str | None, error: str | None, *, limit: int | None, is_dry: bool) -> None:
    """Run the stages of open letters again on their keys; letters that were replayed or resolved are skipped.

    Raises OtcpipeError if a letter cannot be replayed, because its message cannot be read.
    """
    if bool(ids) == bool(stage or error):
        raise Invalid("Name letters by their numbers, or by --stage and --error.")
    found = dlq.by_ids(ids) if ids else dlq.find(stage, None, error, None, every=False)[:limit]
    if not is_dry:
        actors.ping()
    failures = [row for row in found if not _replay(row, is_dry=is_dry)]
    if not found:
        say("No open dead letters match.")
    if failures:
        raise OtcpipeError(f"{len(failures):,} of {counted(len(found), 'letter')} cannot be replayed.")


def purge(days: int, *, yes: bool) -> None:
    """Delete letters older than `days`; without `yes`, only print how many."""
    before = resources.settings().now() - timedelta(days=days)
    counts = dead_letters.purge(resources.database(), before, is_dry=not yes)
    what = f"{counted(counts['letters'], 'letter')} older than {before:%Y-%m-%d}, {counts['open']:,} of them open"
    say(f"Removed {what}." if yes else f"Would remove {what}; add --yes to do it.")


def _replay(letter: Row, *, is_dry: bool) -> bool:
    where = f"Letter {letter['letter_id']}"
    if letter["state"] != "open":
        say(f"{where} is {letter['state']} already.")
        return True
    try:
        run = messages.read(bytes(letter["message"])) if is_dry else _claim(letter)
    except Invalid as error:
        say(f"{where} cannot be replayed: {error} If its run is due, `otcpipe reconcile` sends it again.")
        return False
    if run is None:
        say(f"{where} was replayed or resolved meanwhile.")
    else:
        say(f"{where}: {run.stage.name} {'would run' if is_dry else 'runs'} again on {run.key}.")
    return True


def _claim(letter: Row) -> Run | None:
    run = dead_letters.replay(resources.database(), letter, messages.read)
    if run:
        actors.send(run)
    return run
