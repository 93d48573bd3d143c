"""Restore every table from S3 alone."""

import logging

from otcpipe import resources
from otcpipe.broker import actors
from otcpipe.cli import watch
from otcpipe.cli.console import say
from otcpipe.errors import Unready
from otcpipe.pipeline import planning, recovery, synchronization
from otcpipe.pipeline.volumes import imports
from otcpipe.records import Partition
from otcpipe.storage import keys
from otcpipe.text.counting import counted

log = logging.getLogger(__name__)


def rebuild(*, is_dry: bool) -> None:
    """Create missing tables, then send every observation and decision in S3 through the pipeline, and watch."""
    database, store, prefix = resources.database(), resources.store(), resources.settings()["S3_PREFIX"]
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


def _known() -> set[str]:
    try:
        with resources.database().transaction() as transaction:
            return {row["key"] for row in transaction.rows("cached_keys")}
    except Unready:
        return set()


def _order(partition: Partition) -> tuple[object, str]:
    return partition.week_ending, partition.tier
