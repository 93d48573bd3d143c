"""Checks of the work: queues, objects, runs, dead letters and anomalies."""

from datetime import timedelta

from otcpipe.broker import actors
from otcpipe.broker.queues import Queue
from otcpipe.monitoring.context import CheckContext, Verdict
from otcpipe.pipeline import definition, oddities, recovery
from otcpipe.text.counting import counted

STALLED = timedelta(minutes=10)  # without a message taken or done; all threads may be busy with long stages
HOPELESS = max(stage.time_limit for stage in definition.PIPELINE) + timedelta(minutes=5)  # no stage is that long
SAMPLE = 5  # of the oldest captures, and of the newest
MAX_ODDITIES = 3  # in the sentence


def queues(context: CheckContext) -> Verdict:
    """Check that the queues' keys are valid, that workers consume them, and that waiting messages move."""
    wrong = context.queues.wrong()
    if wrong:
        finding = " ".join(f"The Redis key {key} {problem}." for key, problem in wrong.items())
        return "fail", finding, "A worker sets it aside within seconds; if none does, start workers."
    found = context.queues.all()
    return _unconsumed(found) or _stalled(found) or ("ok", f"Workers consume all {len(found)} queues.", "")


def _unconsumed(found: dict[str, Queue]) -> Verdict | None:
    optional = {stage.name for stage in definition.PIPELINE if stage.setting}
    names = [name for name, queue in found.items() if not queue.consumers and (queue.waiting or name not in optional)]
    names += [f"{name}.DQ" for name, queue in found.items() if queue.delayed and not queue.delay_consumers]
    if not names:
        return None
    waiting = sum(_waiting(found[name.removesuffix(".DQ")], name) for name in names)
    finding = f"No worker consumes {', '.join(names)}. Messages waiting: {waiting:,}."
    return ("fail" if waiting else "warn"), finding, "Start workers: `otcpipe up`, or `dramatiq actors`."


def _waiting(queue: Queue, name: str) -> int:
    return queue.delayed if name.endswith(".DQ") else queue.waiting


def _stalled(found: dict[str, Queue]) -> Verdict | None:
    still = {name: timedelta(seconds=queue.still_seconds or 0) for name, queue in found.items()}
    stalled = {name: span for name, span in still.items() if span > STALLED}
    if not stalled:
        return None
    counts = ", ".join(f"{name} ({found[name].waiting + found[name].in_hand:,} messages)" for name in stalled)
    longest = max(stalled.values())
    finding = f"Nothing has moved for up to {longest // timedelta(minutes=1):,} minutes in {counts}."
    return ("fail" if longest > HOPELESS else "warn"), finding, "Read the workers' logs, and restart the workers."


def runs(context: CheckContext) -> Verdict:
    """Look for lost runs."""
    settings = context.settings
    prefix, tiers, now = settings["S3_PREFIX"], settings.tiers, settings.now()
    lost = list(recovery.find(context.database, context.store, prefix, actors.message_ids(), now, tiers))
    if lost:
        finding = f"{counted(len(lost), 'lost run')}: due, but without a message or a worker."
        return "warn", finding, "Run `otcpipe reconcile`."
    return "ok", "No run is lost.", ""


def objects(context: CheckContext) -> Verdict:
    """Look for the raw objects of some captures: the oldest and the newest."""
    with context.database.transaction() as transaction:
        keys = [row["raw_key"] for row in transaction.rows("some_raw_keys", limit=SAMPLE)]
    missing = [key for key in keys if not context.store.exists(key)]
    if missing:
        finding = (
            f"The bucket lacks {len(missing)} of the {counted(len(keys), 'raw object')} looked for: {missing[0]}."
        )
        return "fail", finding, "Bring them back with `otcpipe rebuild --from PLACE`, from a copy that `backup` made."
    return "ok", "The raw objects of the oldest and the newest captures are in the bucket.", ""


def letters(context: CheckContext) -> Verdict:
    """Look for open dead letters."""
    with context.database.transaction() as transaction:
        found = {row["stage"]: row["letters"] for row in transaction.rows("open_letters")}
    if found:
        finding = f"{counted(sum(found.values()), 'open dead letter')} ({', '.join(found)})."
        return "warn", finding, "Read why with `otcpipe dlq list`, then `otcpipe dlq replay --stage STAGE`."
    return "ok", "No open dead letters.", ""


def anomalies(context: CheckContext) -> Verdict:
    """Look for impossible weeks and clocks that were set back."""
    found = oddities.find(context.database, context.settings.now())
    if found:
        more = f" And {len(found) - MAX_ODDITIES:,} more." if len(found) > MAX_ODDITIES else ""
        return "warn", " ".join(found[:MAX_ODDITIES]) + more, "See `otcpipe status`."
    return "ok", "No impossible week is in the ledger, and no observation's clock was set back.", ""
