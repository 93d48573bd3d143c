"""Claims: the right of one worker to execute a run, taken from the ledger and given back to it."""

import json
import uuid
from dataclasses import dataclass, replace
from datetime import timedelta

from otcpipe.errors import Poisonous
from otcpipe.metrics import definitions
from otcpipe.pipeline import ledger
from otcpipe.pipeline.ledger import MAX_CRASHED_CLAIMS, Run
from otcpipe.records import StageResult
from otcpipe.storage import migrations
from otcpipe.storage.postgres import Database

LEASE = timedelta(seconds=15)


@dataclass(frozen=True)
class Claim:
    """The right to execute a run, valid while its lease is renewed. `worker` identifies the claim."""

    run: Run
    worker: uuid.UUID
    lease: timedelta = LEASE


@dataclass(frozen=True)
class ClaimedElsewhere:
    """Another worker's claim."""

    seconds: float  # until its lease expires


def claim(database: Database, run: Run, lease: timedelta = LEASE) -> Claim | StageResult | ClaimedElsewhere:
    """Claim a run. Return the claim, or the output if the run is done, or the claim of another worker.

    The claimed run is the one in the ledger, which may have another request and other following stages than the
    message. Raises Poisonous if too many workers in a row crashed in it, Outdated or Unready for another schema.
    """
    worker, values = uuid.uuid4(), {"most": MAX_CRASHED_CLAIMS, "ours": run.previous_claim}
    with database.transaction() as transaction:
        migrations.require_current(transaction)
        definitions.require_known(transaction)
        if claimed := transaction.row("claim_run", **values, **run.entry(), worker=worker, lease=lease):
            return Claim(replace(run, **claimed), worker, lease)
        found = transaction.rows("run", **run.identity(), **values)[0]
        if found["is_poison"]:
            raise Poisonous(f"{MAX_CRASHED_CLAIMS} workers in a row crashed during this run; it is not tried again.")
        if found["state"] == "done":
            return StageResult(found["output_key"], found["output_generation"], found["counts"])
        return ClaimedElsewhere(found["lease_left"])


def finish(database: Database, claimed: Claim, output: StageResult) -> bool:
    """Record the output, and the following run as due, in one transaction; return False if the lease was lost."""
    with database.transaction() as transaction:
        values = {"output_key": output.key, "output_generation": output.generation, "reason": output.reason}
        more = {"counts": json.dumps(output.counts), "worker": claimed.worker}
        if not (finished := transaction.row("finish_run", **claimed.run.identity(), **values, **more)):
            return False
        transaction.run("resolve_letters", **claimed.run.identity())
        if following := replace(claimed.run, **finished).following(output):
            ledger.make_due(transaction, following)
        return True
