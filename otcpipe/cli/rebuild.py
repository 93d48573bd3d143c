"""Restore every table from S3 alone."""

import logging

from otcpipe import resources
from otcpipe.broker import actors
from otcpipe.cli import backup, watch
from otcpipe.cli.console import say
from otcpipe.errors import OtcpipeError, Unready
from otcpipe.pipeline import planning, recovery, synchronization
from otcpipe.pipeline.backup import copies
from otcpipe.pipeline.volumes import imports
from otcpipe.records import Partition
from otcpipe.storage import keys
from otcpipe.text.counting import counted

log = logging.getLogger(__name__)


def rebuild(place: str | None, *, is_dry: bool) -> None:
    """Create missing tables, then send every observation and decision in S3 through the pipeline, and watch.

    What the bucket lacks is taken from the copy at `place` first; raises OtcpipeError if that is damaged.
    """
    database, store, prefix = resources.database(), resources.store(), resources.settings()["S3_PREFIX"]
    if place:
        _restore(place, is_dry=is_dry)
    stored = [key for key in store.keys(f"{prefix}/fetched/") if key.endswith(".json")]
    decided = list(store.keys(f"{prefix}/decision/"))
    say(f"S3 holds {counted(len(stored), 'observation')} and {counted(len(decided), 'decision')} under {prefix}.")
    if is_dry:
        known = _known()
        say(f"Postgres lacks {counted(len(set(stored) - known), 'observation')}; nothing was changed.")
        return
    database.migrate()
    actors.ping()
    synchronization.synchronize(database, store, prefix, say)
    imports.restore(database, store, prefix, say)
    sent = 0
    for finding in recovery.find(database, store, prefix, actors.message_ids(), resources.settings().now()):
        planning.enqueue(database, finding.run, actors.send)
        sent += 1
    say(f"{counted(sent, 'run')} enqueued.")
    partitions = {keys.parse(key, prefix).partition for key in stored}
    if partitions:
        watch.until_done(sorted(partitions, key=_order))


def _restore(place: str, *, is_dry: bool) -> None:
    """Bring back from a copy what the bucket lacks; with `is_dry` only check the copy."""
    settings, store, prefix = resources.settings(), resources.store(), resources.settings()["S3_PREFIX"]
    chosen = copies.place(place, settings)
    if not is_dry:
        store.create_bucket()
    with backup.progress("checking the copy" if is_dry else "restoring objects") as report:
        work = copies.check if is_dry else copies.restore
        found = work(store, prefix, chosen, place, report)
    backup.describe(found, done=None if is_dry else "restored")
    if found.problems:
        raise OtcpipeError(
            f"The copy at {place} is not complete: the tables were not rebuilt."
            " `otcpipe rebuild` alone rebuilds them from what the bucket has now."
        )


def _known() -> set[str]:
    try:
        with resources.database().transaction() as transaction:
            return {row["key"] for row in transaction.rows("cached_keys")}
    except Unready:
        return set()


def _order(partition: Partition) -> tuple[object, str]:
    return partition.week_ending, partition.tier
