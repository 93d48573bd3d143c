"""The execution of a stage: claim the run, run the stage, record its output, send the next run.

The ledger always comes before the message, so a crash between the two loses nothing.
"""

import logging
import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from time import monotonic

from otcpipe.errors import Damaged, OnHold, Permanent, TooSoon, Unreachable
from otcpipe.pipeline import captures, claims, definition, ledger
from otcpipe.pipeline.claims import Claim, ClaimedElsewhere
from otcpipe.pipeline.lease import Lease
from otcpipe.pipeline.ledger import Run
from otcpipe.records import StageResult
from otcpipe.storage import keys
from otcpipe.storage.postgres import Database
from otcpipe.storage.s3 import ObjectStore

Body = Callable[[Run], StageResult]  # a stage's own work
log = logging.getLogger(__name__)
OUTAGE_SECONDS, REBUILD_SECONDS = 3, 1


@dataclass(frozen=True)
class StageExecutor:
    """Executes runs. `send` enqueues a run after a delay in seconds."""

    store: ObjectStore
    database: Database
    send: Callable[[Run, float], None]
    lease: timedelta = claims.LEASE

    def execute(self, run: Run, body: Body) -> None:
        """Execute one run and send the run that follows; if the run is done already, only send.

        While a server is down the run is postponed, which uses up none of its attempts.
        """
        claimed = run
        try:
            lost = self._lost_observation(run)
            if lost:
                log.warning("%s %s: its capture is not in PostgreSQL; cache runs again.", run.stage.name, run.key)
                self.send(ledger.request(self.database, lost), 0)
                return
            found = self._claim(run)
            if isinstance(found, Claim):
                run = found.run
                claimed = replace(run, previous_claim=found.worker)
                output = self._run_body(found, body)
            else:
                output = found
        except TooSoon as wait:
            self.send(claimed, wait.seconds)
        except OnHold as hold:
            log.warning("%s %s is held: %s", run.stage.name, run.key, hold)
        except Unreachable as outage:
            log.warning("%s %s waits: %s", run.stage.name, run.key, outage)
            self.send(claimed, OUTAGE_SECONDS)
        else:
            following = run.following(output) if output else None
            if following:
                self.send(following, 0)

    def _lost_observation(self, run: Run) -> Run | None:
        """Return the cache run of an observation that the database lacks, as after the restore of an old dump.

        None if the database has it. Raises Permanent if S3 lacks it too.
        """
        if not run.generation or captures.is_known(self.database, run.generation):
            return None
        prefix, partition = run.key.prefix, run.key.partition
        key = captures.observation_of(self.store, prefix, partition, run.generation)
        return Run(definition.named("cache"), key, request=f"lost {run.generation}")

    def _claim(self, run: Run) -> Claim | StageResult:
        """Claim the run, or return its output if it is done. Raises TooSoon while another worker has it."""
        found = claims.claim(self.database, run, self.lease)
        if isinstance(found, ClaimedElsewhere):
            seconds = found.seconds + 1
            raise TooSoon(f"Another worker is running this stage; retrying in {seconds:.0f} s.", seconds)
        return found

    def _run_body(self, claim: Claim, body: Body) -> StageResult | None:
        """Run the stage under its lease; return None if the lease was lost, as another worker has the run then."""
        run, started = claim.run, monotonic()
        with Lease(self.database, claim):
            try:
                output = body(run)
            except Damaged as damage:
                self._rebuild(run, damage)
                raise TooSoon(f"{damage} It is being rebuilt.", REBUILD_SECONDS) from damage
        counts = ", ".join(f"{count:,} {name}" for name, count in output.counts.items()) or "nothing to count"
        seconds = monotonic() - started
        extra = {"generation": run.generation, "counts": output.counts, "seconds": round(seconds, 3)}
        log.info("%s %s: %s in %.2f s", run.stage.name, run.key, counts, seconds, extra=extra)
        return output if claims.finish(self.database, claim, output) else None

    def _rebuild(self, run: Run, damage: Damaged) -> None:
        """Request the run that produces a missing or damaged object. Raises Permanent if nothing can produce it."""
        key = run.key.beside(damage.key)
        if key.kind == "rejected":
            key = key.sibling("normalized", key.digest)
        producer = ledger.producer(self.database, str(key))
        if key.kind not in ("parsed", "normalized") or producer is None:
            raise Permanent(f"{damage} It cannot be rebuilt.") from damage
        if producer["state"] == "failed":
            raise Permanent(f"{damage} The run that rebuilds it failed: {producer['reason']}") from damage
        if producer["state"] != "done":
            return  # it is being rebuilt
        for damaged in (damage.key, str(key)):
            self.store.discard(damaged)
        stage, source = definition.named(producer["stage"]), keys.parse(producer["key"], key.prefix)
        again = Run(stage, source, producer["generation"], request=f"remake {uuid.uuid4()}", is_last=True)
        self.send(ledger.request(self.database, again), 0)
