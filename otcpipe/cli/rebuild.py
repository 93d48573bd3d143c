"""Restore every table from S3 alone."""

import logging

from otcpipe import resources
from otcpipe.broker import actors, messages
from otcpipe.cli import backup, watch
from otcpipe.cli.console import say
from otcpipe.errors import OtcpipeError, Unready
from otcpipe.metrics import definitions
from otcpipe.pipeline import dead_letters, definition, planning, recovery, synchronization
from otcpipe.pipeline.backup import copies
from otcpipe.pipeline.volumes import imports
from otcpipe.records import Partition
from otcpipe.storage import keys
from otcpipe.text.counting import counted

log = logging.getLogger(__name__)

# Kinds of keys: observations, what a person decided, and files of other volumes that were imported.
KINDS = {"fetched": "observation", "decision": "decision", "volume": "imported file"}
FOLLOWING = (
    "What looks back over many weeks, and the histories, follow within minutes by the scheduler, or at once by"
    " `otcpipe history`."
)


def rebuild(place: str | None, *, is_dry: bool) -> None:
    """Create missing tables, then send every observation and decision in S3 through the pipeline, and watch.

    What the bucket lacks is taken from the copy at `place` first; raises OtcpipeError if that is damaged.
    """
    database, store, prefix = resources.database(), resources.store(), resources.settings()["S3_PREFIX"]
    copied = _restore(place, is_dry=is_dry) if place else []
    held = {key for kind in KINDS for key in (*store.keys(f"{prefix}/{kind}/"), *copied)}
    keys_of = {kind: _of_kind(held, f"{prefix}/{kind}/") for kind in KINDS}
    stored = keys_of["fetched"]
    with_copy = "With the copy, " if is_dry and place else ""
    *some, last = (counted(len(keys_of[kind]), name) for kind, name in KINDS.items())
    held_now = f"{', '.join(some)} and {last}"
    say(f"{with_copy}S3 holds {held_now} under {prefix}.")
    if is_dry:
        known = _known()
        say(f"Postgres lacks {counted(len(set(stored) - known), 'observation')}; nothing was changed.")
        return
    definitions.migrate(database)
    actors.ping()
    synchronization.synchronize(database, store, prefix, say)
    imports.restore(database, store, prefix, say)
    sent = 0
    for finding in recovery.find(database, store, prefix, actors.message_ids(), resources.settings().now()):
        planning.enqueue(database, finding.run, actors.send)
        sent += 1
    sent += _replay_letters()
    say(f"{counted(sent, 'run')} enqueued.")
    partitions = {keys.parse(key, prefix).partition for key in stored}
    if partitions:
        say(FOLLOWING)
        watch.until_done(sorted(partitions, key=_order))


def _of_kind(held: set[str], kind: str) -> list[str]:
    """Return the keys of one kind; beside a manifest are its bytes."""
    return [key for key in held if key.startswith(kind) and key.endswith(".json")]


def _restore(place: str, *, is_dry: bool) -> list[str]:
    """Bring back from a copy what the bucket lacks, with `is_dry` only say how much; return the keys of the copy."""
    settings, store, prefix = resources.settings(), resources.store(), resources.settings()["S3_PREFIX"]
    chosen = copies.place(place, settings)
    if not is_dry:
        store.create_bucket()
    with backup.progress("checking the copy" if is_dry else "restoring objects") as report:
        found = copies.restore(store, prefix, chosen, place, report, is_dry=is_dry)
    backup.describe(found, done="to be restored" if is_dry else "restored", holder="the copy" if is_dry else "it")
    if found.problems:
        raise OtcpipeError(
            f"The copy at {place} is not complete: the tables were not rebuilt."
            " `otcpipe rebuild` alone rebuilds them from what the bucket has now."
        )
    return copies.keys(prefix, chosen, place)


def _replay_letters() -> int:
    """Run again what died while objects were missing or damaged; return how many runs those are."""
    database = resources.database()
    open_letters = dead_letters.find(database, every=False)
    letters = [letter for letter in open_letters if letter["stage"] not in (None, definition.PIPELINE[0].name)]
    runs = [dead_letters.replay(database, letter, messages.read) for letter in letters]
    for run in runs:
        if run:
            actors.send(run)
    return len([run for run in runs if run])


def _known() -> set[str]:
    try:
        with resources.database().transaction() as transaction:
            return {row["key"] for row in transaction.rows("cached_keys")}
    except Unready:
        return set()


def _order(partition: Partition) -> tuple[object, str]:
    return partition.week_ending, partition.tier
