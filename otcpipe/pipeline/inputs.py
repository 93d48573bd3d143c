"""Inputs of a run that were lost: a capture that the database lacks, or an object that is missing or damaged."""

import uuid

from otcpipe.errors import Damaged, Permanent
from otcpipe.pipeline import captures, definition, ledger
from otcpipe.pipeline.ledger import Run
from otcpipe.storage import keys
from otcpipe.storage.postgres import Database
from otcpipe.storage.s3 import ObjectStore


def lost_observation(database: Database, store: ObjectStore, run: Run) -> Run | None:
    """Return the cache run of an observation that the database lacks, as after the restore of an old dump.

    None if the database has it. Raises Permanent if S3 lacks it too.
    """
    if not run.generation or captures.is_known(database, run.generation):
        return None
    prefix, partition = run.key.prefix, run.key.partition
    key = captures.observation_of(store, prefix, partition, run.generation)
    return Run(definition.named("cache"), key, request=f"lost {run.generation}")


def rebuild(database: Database, store: ObjectStore, run: Run, damage: Damaged) -> Run | None:
    """Make the run due that produces a run's missing or damaged input, and return it, to be sent.

    None if it is running already. Raises Permanent if nothing can produce the object.
    """
    key = run.key.parse_other(damage.key)
    if key.kind == "rejected":
        key = key.sibling("normalized", key.digest)
    producer = ledger.producer(database, str(key))
    if key.kind not in keys.DERIVED or producer is None:
        raise Permanent(f"{damage} It cannot be rebuilt.") from damage
    if producer["state"] == "failed":
        raise Permanent(f"{damage} The run that rebuilds it failed: {producer['reason']}") from damage
    if producer["state"] != "done":
        return None
    for damaged in (damage.key, str(key)):
        store.discard(damaged)
    stage, source = definition.named(producer["stage"]), keys.parse(producer["key"], key.prefix)
    again = Run(stage, source, producer["generation"], request=f"remake {uuid.uuid4()}", is_last=True)
    return ledger.request(database, again)
