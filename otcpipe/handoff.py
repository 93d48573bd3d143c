"""What happens around every stage: claim, run, note, hand on; the message comes after the ledger, never before."""

import logging
from collections.abc import Callable
from time import monotonic

from otcpipe import keys, ledger, stages
from otcpipe.errors import Damaged, Permanent, TooSoon, Unreachable
from otcpipe.ledger import Held, Lease, Run
from otcpipe.records import Output
from otcpipe.store import Store
from otcpipe.warehouse import Warehouse

Send = Callable[[Run, float], None]  # a run, and the seconds to wait before it
log = logging.getLogger(__name__)
OUTAGE_SECONDS = 10


def carry(run: Run, stage: Callable[[Run], Output], store: Store, warehouse: Warehouse, send: Send) -> None:
    """Run one stage and hand its output on; what is done already is only handed on again.

    A server that is down is waited for: that is no fault of the run, and uses up none of its attempts.
    """
    try:
        following = _carried(run, stage, store, warehouse, send)
    except TooSoon as wait:
        send(run, wait.seconds)
    except Unreachable as outage:
        log.warning("%s %s waits: %s", run.stage.name, run.key, outage)
        send(run, OUTAGE_SECONDS)
    else:
        if following:
            send(following, 0)


def _carried(run: Run, stage: Callable[[Run], Output], store: Store, warehouse: Warehouse, send: Send) -> Run | None:
    claimed = ledger.claim(warehouse, run)
    if isinstance(claimed, Held):
        raise TooSoon("Another worker is at it.", claimed.seconds + 1)
    output = claimed if isinstance(claimed, Output) else _output(claimed, stage, store, warehouse, send)
    return run.following(output) if output else None


def _output(
    claim: ledger.Claim, stage: Callable[[Run], Output], store: Store, warehouse: Warehouse, send: Send
) -> Output | None:
    """The stage's own work under its lease; nothing when the lease was lost, since another worker has it then."""
    run, started = claim.run, monotonic()
    with Lease(warehouse, claim):
        try:
            output = stage(run)
        except Damaged as damage:
            _remake(run, damage, store, warehouse, send)
            raise
    counts = ", ".join(f"{count:,} {name}" for name, count in output.counts.items()) or "nothing to count"
    extra = {"stage": run.stage.name, "key": str(run.key), "generation": run.generation}
    log.info("%s %s: %s in %.2f s", run.stage.name, run.key, counts, monotonic() - started, extra=extra)
    return output if ledger.finish(warehouse, claim, output) else None


def _remake(run: Run, damage: Damaged, store: Store, warehouse: Warehouse, send: Send) -> None:
    """Have a derived object that is missing or damaged made again; raw bytes cannot be."""
    key = run.key.beside(damage.key)
    if key.kind == "rejected":
        key = key.sibling("normalized", key.digest)
    producer = ledger.producer(warehouse, str(key))
    if key.kind not in ("parsed", "normalized") or producer is None:
        raise Permanent(f"{damage} It cannot be made again.") from damage
    for damaged in (damage.key, str(key)):
        store.discard(damaged)
    again = Run(
        stages.named(producer["stage"]),
        keys.parse(producer["key"], key.prefix),
        producer["generation"],
        request=f"remake {run.message_id}",
        is_last=True,
    )
    ledger.request(warehouse, again)
    send(again, 0)
