"""What happens around every stage: claim, run, note, hand on; the message comes after the ledger, never before."""

import logging
import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from time import monotonic

from otcpipe.errors import Damaged, OnHold, Permanent, TooSoon, Unreachable
from otcpipe.pipeline import captures, definition, ledger
from otcpipe.pipeline.ledger import Claim, HeldMessages, Lease, Run
from otcpipe.records import StageResult
from otcpipe.storage import keys
from otcpipe.storage.postgres import Database
from otcpipe.storage.s3 import ObjectStore

Body = Callable[[Run], StageResult]  # a stage's own work
log = logging.getLogger(__name__)
OUTAGE_SECONDS, REMAKE_SECONDS = 3, 1


@dataclass(frozen=True)
class StageExecutor:
    """Carries runs through their stages; `send` takes a run, and the seconds to wait before it."""

    store: ObjectStore
    database: Database
    send: Callable[[Run, float], None]
    lease: timedelta = ledger.LEASE

    def execute(self, run: Run, body: Body) -> None:
        """Run one stage and hand its output on; what is done already is only handed on again.

        A server that is down is waited for: that is no fault of the run, and uses up none of its attempts.
        """
        claimed = run
        try:
            lost = self._lost_observation(run)
            if lost:
                log.warning("%s %s: its observation is not in Postgres; it is cached again.", run.stage.name, run.key)
                self.send(ledger.request(self.database, lost), 0)
                return
            found = self._claimed(run)
            if isinstance(found, Claim):
                run = found.run
                claimed = replace(run, ours=found.worker)
                output = self._output(found, body)
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
        """The cache stage's run of an observation that the database does not know, as after a restore of an old dump.

        None where it is known; raises Permanent where S3 does not have it either.
        """
        if not run.generation or captures.is_known(self.database, run.generation):
            return None
        prefix, partition = run.key.prefix, run.key.partition
        key = captures.observation_of(self.store, prefix, partition, run.generation)
        return Run(definition.named("cache"), key, request=f"lost {run.generation}")

    def _claimed(self, run: Run) -> Claim | StageResult:
        """The claim, or the output of what is done already."""
        found = ledger.claim(self.database, run, self.lease)
        if isinstance(found, HeldMessages):
            raise TooSoon("Another worker is at it.", found.seconds + 1)
        return found

    def _output(self, claim: Claim, body: Body) -> StageResult | None:
        """The stage's own work under its lease; nothing when the lease was lost, since another worker has it then."""
        run, started = claim.run, monotonic()
        with Lease(self.database, claim):
            try:
                output = body(run)
            except Damaged as damage:
                self._remake(run, damage)
                raise TooSoon(f"{damage} It is being made again.", REMAKE_SECONDS) from damage
        counts = ", ".join(f"{count:,} {name}" for name, count in output.counts.items()) or "nothing to count"
        seconds = monotonic() - started
        extra = {"generation": run.generation, "counts": output.counts, "seconds": round(seconds, 3)}
        log.info("%s %s: %s in %.2f s", run.stage.name, run.key, counts, seconds, extra=extra)
        return output if ledger.finish(self.database, claim, output) else None

    def _remake(self, run: Run, damage: Damaged) -> None:
        """Have a derived object that is missing or damaged made again; raises Permanent where that cannot be."""
        key = run.key.parse_other(damage.key)
        if key.kind == "rejected":
            key = key.sibling("normalized", key.digest)
        producer = ledger.producer(self.database, str(key))
        if key.kind not in ("parsed", "normalized") or producer is None:
            raise Permanent(f"{damage} It cannot be made again.") from damage
        if producer["state"] == "failed":
            raise Permanent(f"{damage} What would make it again failed: {producer['reason']}") from damage
        if producer["state"] != "done":
            return  # it is being made
        for damaged in (damage.key, str(key)):
            self.store.discard(damaged)
        stage, source = definition.named(producer["stage"]), keys.parse(producer["key"], key.prefix)
        again = Run(stage, source, producer["generation"], request=f"remake {uuid.uuid4()}", is_last=True)
        self.send(ledger.request(self.database, again), 0)
