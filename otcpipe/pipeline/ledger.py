"""The ledger of stage runs in PostgreSQL: what is due, running, done and failed. Redis can be lost, this cannot."""

import uuid
from dataclasses import dataclass, field, replace
from datetime import date

from otcpipe.metrics import definitions
from otcpipe.pipeline import definition
from otcpipe.pipeline.definition import Stage
from otcpipe.records import StageResult
from otcpipe.storage.keys import Key, parse
from otcpipe.storage.postgres import Database, Row, Rows, Transaction

MAX_CRASHED_CLAIMS = 3  # in a row: a run is not claimed a fourth time
DUE = "due "  # begins the request of a compute run for what is due already


@dataclass(frozen=True)
class Run:
    """One stage on one key for one capture.

    `generation` is the capture id, 0 before there is a capture. `request` distinguishes repeated requests for the
    same work. `previous_claim` is the claim of the worker that postponed the run: that worker did not crash.
    """

    stage: Stage
    key: Key
    generation: int = 0
    request: str | None = None
    is_last: bool = False
    previous_claim: uuid.UUID | None = field(default=None, compare=False)

    @property
    def message_id(self) -> str:
        """The message's id, a function of the run: sending a run twice sends the same message id twice."""
        name = f"{self.stage.name} {self.key} {self.generation} {self.request or ''}"
        return str(uuid.uuid5(uuid.NAMESPACE_URL, name))

    def following(self, output: StageResult) -> "Run | None":
        """Return the next stage's run on the output; None after the last stage, or if the stage has no output."""
        stage = None if self.is_last else definition.after(self.stage)
        if stage is None or output.key is None:
            return None
        key, generation = self.key.parse_other(output.key), output.generation or self.generation
        request = None if self.stage.reads == "partition" else self.request  # a new observation is new work anyway
        return replace(self, stage=stage, key=key, generation=generation, request=request, previous_claim=None)

    def identity(self) -> dict[str, object]:
        """Return the columns that identify the run in `otc.stage_run`."""
        return {"stage": self.stage.name, "key": str(self.key), "generation": self.generation}

    def entry(self) -> dict[str, object]:
        """Return all columns with which the run is requested: its identity, partition, request and code version."""
        return self.identity() | {
            "week_ending": self.key.partition.week_ending,
            "tier": self.key.partition.tier,
            "request": self.request,
            "is_last": self.is_last,
            "code_version": self.stage.code_version,
        }


def request(database: Database, run: Run) -> Run:
    """Record that a run is due, and return the run to send.

    The record precedes the message, so that a lost message leaves a trace. A run that is due already keeps its own
    request and its following stages; that run is returned.
    """
    with database.transaction() as transaction:
        if make_due(transaction, run):
            return run
        found = transaction.rows("run", **run.identity(), most=MAX_CRASHED_CLAIMS, ours=None)[0]
        is_last = run.is_last and (found["is_last"] or found["state"] == "done")
        return replace(run, request=found["request"], is_last=is_last)


def make_due(transaction: Transaction, run: Run) -> bool:
    """Record that a run is due; return False if it is due or done already.

    A repeated request for compute marks all of the week's metrics as due, once, unless it is for what is due already.
    If each attempt marked them, two runs that wait for each other would create work for each other without end.
    """
    is_new = bool(transaction.run("request_run", **run.entry()))
    if is_new and run.request and not run.request.startswith(DUE) and run.stage.name == "compute":
        definitions.mark_due(transaction, run.key.partition.week_ending)
    return is_new


def complete_waiting_computes(database: Database) -> None:
    """Complete waiting compute runs whose week, and what follows from it for later weeks, another run has computed.

    The stage after compute, if the pipeline has one, becomes due for each: recovery sends it if no message does.
    """
    following = definition.after(definition.named("compute"))
    stages, versions = ([following.name], [following.code_version]) if following else ([], [])
    with database.transaction() as transaction:
        transaction.run(
            "settle_computed",
            reach=definitions.max_lookahead(),
            next_stages=stages,
            next_versions=versions,
            **definitions.settling(),
        )


def producer(database: Database, key: str) -> Row | None:
    """Return stage, key, generation and state of the run that produces an object; None if no run does."""
    with database.transaction() as transaction:
        return transaction.row("producer", key=key)


def partitions(database: Database, week_ending: date | None = None) -> Rows:
    """Return one row for each partition that was ever requested, oldest week first."""
    with database.transaction() as transaction:
        return transaction.rows(
            "partitions",
            week_ending=week_ending,
            last_stage=definition.last().name,
            optional_stages=[stage.name for stage in definition.PIPELINE if stage.setting],
        )


def generation_of(database: Database, key: Key) -> int:
    """Return the capture id that a key derives from, the newest if there are several; 0 if there is no capture."""
    with database.transaction() as transaction:
        row = transaction.row("generation_of", key=str(key))
    return int(row["generation"]) if row else 0


def runs_with_prefix(database: Database, stage: Stage, prefix: str, start: str, limit: int | None) -> list[Run]:
    """Return a stage's runs on keys that begin with `start`, for each key's newest capture, oldest week first."""
    with database.transaction() as transaction:
        rows = transaction.rows("begun_with", stage=stage.name, start=f"{prefix}/{start}", limit=limit)
    return [Run(stage, parse(row["key"], prefix), row["generation"]) for row in rows]
