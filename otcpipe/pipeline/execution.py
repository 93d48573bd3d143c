"""The execution of a stage: claim the run, run the stage, record its output, send the next run.

The ledger always comes before the message, so a crash between the two loses nothing.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from time import monotonic

from otcpipe.errors import Damaged, OnHold, TooSoon, Unreachable
from otcpipe.metrics import definitions
from otcpipe.pipeline import claims, definition, inputs, ledger, lost_runs
from otcpipe.pipeline.claims import Claim, ClaimedElsewhere
from otcpipe.pipeline.lease import Lease
from otcpipe.pipeline.ledger import Run
from otcpipe.records import StageResult
from otcpipe.storage.postgres import Database
from otcpipe.storage.s3 import ObjectStore

Body = Callable[[Run], StageResult]  # a stage's own work
log = logging.getLogger(__name__)
OUTAGE_SECONDS, REBUILD_SECONDS = 3, 1


@dataclass(frozen=True)
class Outcome:
    """What became of an execution: done, done before, lost to another worker, held or postponed, and why."""

    outcome: str
    reason: str | None = None
    generation: int = 0
    counts: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class StageExecutor:
    """Executes runs. `send` enqueues a run after a delay in seconds."""

    store: ObjectStore
    database: Database
    send: Callable[[Run, float], None]
    lease: timedelta = claims.LEASE

    def execute(self, run: Run, body: Body) -> Outcome:
        """Execute one run and send the run that follows; if the run is done already, only send.

        While a server is down the run is postponed, which uses up none of its attempts.
        """
        claimed = run
        try:
            lost = inputs.lost_observation(self.database, self.store, run)
            if lost:
                log.warning("%s %s: its capture is not in PostgreSQL; cache runs again.", run.stage.name, run.key)
                self.send(ledger.request(self.database, lost), 0)
                return Outcome("postponed", "Its capture is not in PostgreSQL.", run.generation)
            found = self._claim(run)
            if isinstance(found, Claim):
                run = found.run
                claimed = replace(run, previous_claim=found.worker)
                output = self._run_body(found, body)
                outcome = "done" if output else "lost"
            else:
                output, outcome = found, "done before"
        except TooSoon as wait:
            self.send(claimed, wait.seconds)
            return Outcome("postponed", str(wait), run.generation)
        except OnHold as hold:
            log.warning("%s %s is held: %s", run.stage.name, run.key, hold)
            return Outcome("held", str(hold), run.generation)
        except Unreachable as outage:
            log.warning("%s %s waits: %s", run.stage.name, run.key, outage)
            self.send(claimed, OUTAGE_SECONDS)
            return Outcome("postponed", str(outage), run.generation)
        for following in self._following(run, output) if output else ():
            self.send(following, 0)
        return Outcome(outcome, None, run.generation, output.counts if output else {})

    def _following(self, run: Run, output: StageResult) -> list[Run]:
        """Return the run of the next stage. If FINRA has published nothing, return those that waited for this run."""
        if output.key is None:
            week = run.key.partition.week_ending
            last = week + definitions.max_lookahead() * definitions.WEEK
            waited = lost_runs.uncomputed(self.database, run.key.prefix, week, last)
            return [ledger.request(self.database, one) for one in waited]
        following = run.following(output)
        return [following] if following else []

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
                if output.key:
                    definition.require_output(run.stage, run.key.parse_other(output.key))
            except Damaged as damage:
                producer = inputs.rebuild(self.database, self.store, run, damage)
                if producer:
                    self.send(producer, 0)
                raise TooSoon(f"{damage} It is being rebuilt.", REBUILD_SECONDS) from damage
        counts = ", ".join(f"{count:,} {name}" for name, count in output.counts.items()) or "nothing to count"
        seconds = monotonic() - started
        extra = {"generation": run.generation, "counts": output.counts, "seconds": round(seconds, 3)}
        log.info("%s %s: %s in %.2f s", run.stage.name, run.key, counts, seconds, extra=extra)
        return output if claims.finish(self.database, claim, output) else None
