"""Run the stages in this process on the real servers, one message after the other."""

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from importlib import import_module

from otcpipe import resources
from otcpipe.datasets import TIERS, WEEKLY
from otcpipe.pipeline import decisions, definition, ledger, recovery, synchronization
from otcpipe.pipeline.decisions import Decision
from otcpipe.pipeline.execution import StageExecutor
from otcpipe.pipeline.ledger import Run
from otcpipe.quality import grading
from otcpipe.records import Manifest, Partition, StageResult
from otcpipe.storage import keys, observations

WEEK = date(2025, 11, 14)
NOON = datetime(2025, 12, 20, 12, tzinfo=UTC)


def functions() -> dict[str, Callable[[Run], StageResult]]:
    """Return the stages' functions without their actors. Imported late: actors need a broker's URL."""
    actors = import_module("actors")
    return {stage.name: getattr(actors, stage.actor).fn.__wrapped__ for stage in definition.PIPELINE}


def drive(*runs: Run) -> list[Run]:
    """Execute runs and all that follow from them; return what was executed, in order."""
    waiting, carried = deque(runs), list[Run]()
    work = functions()
    while waiting:
        run = waiting.popleft()
        carried.append(run)
        carrier(lambda run, _: waiting.append(run)).execute(run, work[run.stage.name])
    return carried


def of_stage(runs: Iterable[Run], name: str) -> Run:
    """Return the last of these runs of a stage."""
    return [run for run in runs if run.stage.name == name][-1]


def fail(run: Run, reason: str) -> None:
    """Fail a run as if its message had died."""
    with resources.database().transaction() as transaction:
        transaction.run("fail_run", **run.identity(), reason=reason)


def accept(partition: Partition, reason: str = "an example", at: datetime = NOON) -> None:
    """Accept a held partition, without computing it."""
    grade = grading.held(resources.database(), partition)
    decision = Decision("accept", partition, grade["digest"], reason, at, grade["grade"], grade["score"])
    decisions.record(resources.database(), resources.store(), resources.settings()["S3_PREFIX"], decision)


def reconciled() -> list[Run]:
    """Copy decisions, and return all due runs as `otcpipe reconcile` finds them when Redis is empty."""
    database, store, prefix = resources.database(), resources.store(), resources.settings()["S3_PREFIX"]
    synchronization.synchronize(database, store, prefix, print)
    found = [finding.run for finding in recovery.find(database, store, prefix, (), NOON)]
    return [ledger.request(database, run) for run in found]


def carrier(send: Callable[[Run, float], None]) -> StageExecutor:
    return StageExecutor(resources.store(), resources.database(), send)


def observe(content: bytes, partition: Partition, at: datetime = NOON, covers: str = "ats") -> Run:
    """Store bytes as an observation made at a time; return the run of its cache stage."""
    source = "file" if covers == "ats" else "api"
    manifest = Manifest(source, covers, keys.sha256(content), at)
    prefix = resources.settings()["S3_PREFIX"]
    key = observations.store_observation(
        resources.store(), prefix, partition, content, manifest, f"{manifest.digest} {at}"
    )
    run = Run(definition.named("cache"), key)
    ledger.request(resources.database(), run)
    return run


def file_text(rows: Iterable[Sequence[object]], tier: str = "OTCE", updated_on: object = "2025-12-15") -> bytes:
    """Return a website file of (symbol, mpid, shares, trades) rows."""
    lines = ["|".join(WEEKLY.file_order)]
    for symbol, mpid, shares, trades in rows:
        lines.append(f"{TIERS[tier]}|{symbol}|{symbol} Inc|{mpid} VENUE|{mpid}|{shares}|{trades}|{updated_on}")
    return ("\n".join(lines) + "\n").encode()


def api_text(rows: Iterable[Mapping[str, object]], partition: Partition) -> bytes:
    """Return API text; each row holds only the values that differ from an ordinary ATS firm row."""
    ordinary: dict[str, object] = {
        "totalWeeklyShareQuantity": 100,
        "issueSymbolIdentifier": "ABC",
        "issueName": "Abc Inc",
        "lastUpdateDate": "2025-12-15",
        "lastReportedDate": partition.week_ending,
        "tierDescription": TIERS[partition.tier],
        "initialPublishedDate": "2025-12-15",
        "tierIdentifier": partition.tier,
        "summaryStartDate": partition.week_start,
        "totalNotionalSum": "1000.5",
        "totalWeeklyTradeCount": 10,
        "weekStartDate": partition.week_start,
        "MPID": "AAAA",
        "firmCRDNumber": "",
        "productTypeCode": "UTP",
        "marketParticipantName": "AAAA VENUE",
        "summaryTypeCode": "ATS_W_SMBL_FIRM",
    }
    lines = ["|".join(WEEKLY.api_fields)]
    lines += ["|".join(str({**ordinary, **row}[name]) for name in WEEKLY.api_fields) for row in rows]
    return ("\n".join(lines) + "\n").encode()
