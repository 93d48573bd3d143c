"""What happens around every stage: claim, run, note, hand on; the message comes after the ledger, never before."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from time import monotonic

from otcpipe import keys, ledger, stages
from otcpipe.errors import Damaged, OnHold, Permanent, TooSoon, Unreachable
from otcpipe.ledger import Held, Lease, Run
from otcpipe.records import Output
from otcpipe.store import Store
from otcpipe.warehouse import Warehouse

Body = Callable[[Run], Output]  # a stage's own work
log = logging.getLogger(__name__)
OUTAGE_SECONDS = 3


@dataclass(frozen=True)
class Carrier:
    """Carries runs through their stages; `send` takes a run, and the seconds to wait before it."""

    store: Store
    warehouse: Warehouse
    send: Callable[[Run, float], None]
    lease: timedelta = ledger.LEASE

    def carry(self, run: Run, body: Body) -> None:
        """Run one stage and hand its output on; what is done already is only handed on again.

        A server that is down is waited for: that is no fault of the run, and uses up none of its attempts.
        """
        try:
            following = self._carried(run, body)
        except TooSoon as wait:
            self.send(run, wait.seconds)
        except OnHold as hold:
            log.warning("%s %s is held: %s", run.stage.name, run.key, hold)
        except Unreachable as outage:
            log.warning("%s %s waits: %s", run.stage.name, run.key, outage)
            self.send(run, OUTAGE_SECONDS)
        else:
            if following:
                self.send(following, 0)

    def _carried(self, run: Run, body: Body) -> Run | None:
        claimed = ledger.claim(self.warehouse, run, self.lease)
        if isinstance(claimed, Held):
            raise TooSoon("Another worker is at it.", claimed.seconds + 1)
        output = claimed if isinstance(claimed, Output) else self._output(claimed, body)
        return run.following(output) if output else None

    def _output(self, claim: ledger.Claim, body: Body) -> Output | None:
        """The stage's own work under its lease; nothing when the lease was lost, since another worker has it then."""
        run, started = claim.run, monotonic()
        with Lease(self.warehouse, claim):
            try:
                output = body(run)
            except Damaged as damage:
                self._remake(run, damage)
                raise
        counts = ", ".join(f"{count:,} {name}" for name, count in output.counts.items()) or "nothing to count"
        seconds = monotonic() - started
        extra = {"generation": run.generation, "counts": output.counts, "seconds": round(seconds, 3)}
        log.info("%s %s: %s in %.2f s", run.stage.name, run.key, counts, seconds, extra=extra)
        return output if ledger.finish(self.warehouse, claim, output) else None

    def _remake(self, run: Run, damage: Damaged) -> None:
        """Have a derived object that is missing or damaged made again; raw bytes cannot be."""
        key = run.key.beside(damage.key)
        if key.kind == "rejected":
            key = key.sibling("normalized", key.digest)
        producer = ledger.producer(self.warehouse, str(key))
        if key.kind not in ("parsed", "normalized") or producer is None:
            raise Permanent(f"{damage} It cannot be made again.") from damage
        for damaged in (damage.key, str(key)):
            self.store.discard(damaged)
        again = Run(
            stages.named(producer["stage"]),
            keys.parse(producer["key"], key.prefix),
            producer["generation"],
            request=f"remake {run.message_id}",
            is_last=True,
        )
        ledger.request(self.warehouse, again)
        self.send(again, 0)
