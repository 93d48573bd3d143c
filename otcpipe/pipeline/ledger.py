"""The ledger of stage runs in Postgres: the truth of what is due, running, done and failed."""

import json
import logging
import threading
import uuid
from contextvars import copy_context
from dataclasses import dataclass, field, replace
from datetime import date, timedelta

from otcpipe.errors import OnHold, OtcpipeError, Poisonous, TooSoon
from otcpipe.metrics import definitions
from otcpipe.pipeline import definition
from otcpipe.pipeline.definition import Stage
from otcpipe.records import StageResult
from otcpipe.storage.keys import Key, parse
from otcpipe.storage.postgres import Database, Row, Transaction

log = logging.getLogger(__name__)
LEASE = timedelta(seconds=15)
RENEWALS = 3  # of a lease before it runs out
MOST_UNENDED = 3  # claims in a row: the fourth is one too many


@dataclass(frozen=True)
class Run:
    """One stage on one key for one capture; `request` tells one asking from another."""

    stage: Stage
    key: Key
    generation: int = 0
    request: str | None = None
    is_last: bool = False
    ours: uuid.UUID | None = field(default=None, compare=False)  # the claim of who put it off, alive

    @property
    def message_id(self) -> str:
        """Deterministic, so that a run that is sent twice is one message by name."""
        name = f"{self.stage.name} {self.key} {self.generation} {self.request or ''}"
        return str(uuid.uuid5(uuid.NAMESPACE_URL, name))

    def following(self, output: StageResult) -> "Run | None":
        """The run that the output leads to: the hand-off in one place."""
        stage = None if self.is_last else definition.after(self.stage)
        if stage is None or output.key is None:
            return None
        key, generation = self.key.beside(output.key), output.generation or self.generation
        request = None if self.stage.reads == "partition" else self.request  # a new observation is new work anyway
        return replace(self, stage=stage, key=key, generation=generation, request=request, ours=None)

    def identity(self) -> dict[str, object]:
        return {"stage": self.stage.name, "key": str(self.key), "generation": self.generation}

    def entry(self) -> dict[str, object]:
        return self.identity() | {
            "week_ending": self.key.partition.week_ending,
            "tier": self.key.partition.tier,
            "request": self.request,
            "is_last": self.is_last,
            "code_version": self.stage.code_version,
        }


@dataclass(frozen=True)
class Claim:
    """The right to run, for as long as the lease is renewed."""

    run: Run
    worker: uuid.UUID
    lease: timedelta = LEASE


@dataclass(frozen=True)
class HeldMessages:
    """Somebody else's lease, with the seconds that are left of it."""

    seconds: float


def request(database: Database, run: Run) -> Run:
    """Note that the run is due; before its message is sent, so that a lost message leaves a trace.

    One that is due already keeps its own request and its followers: the run to send is the one returned.
    """
    with database.transaction() as transaction:
        if _make_due(transaction, run):
            return run
        found = transaction.rows("run", **run.identity(), most=MOST_UNENDED, ours=None)[0]
        is_last = run.is_last and (found["is_last"] or found["state"] == "done")
        return replace(run, request=found["request"], is_last=is_last)


def claim(database: Database, run: Run, lease: timedelta = LEASE) -> Claim | StageResult | HeldMessages:
    """The claim; or the output of a run that is done; or who holds it. Raises Poisonous for a run that kills.

    The claim is on the run as it was noted, which may have another request and other followers than its message.
    """
    worker, values = uuid.uuid4(), {"most": MOST_UNENDED, "ours": run.ours}
    with database.transaction() as transaction:
        noted = transaction.row("claim_run", **values, **run.entry(), worker=worker, lease=lease)
        if noted:
            return Claim(replace(run, **noted), worker, lease)
        found = transaction.rows("run", **run.identity(), **values)[0]
        if found["is_poison"]:
            raise Poisonous(f"{MOST_UNENDED} workers in a row died at it, or never came back.")
        if found["state"] == "done":
            return StageResult(found["output_key"], found["output_generation"], found["counts"])
        return HeldMessages(found["lease_left"])


class Lease:
    """Renews a claim from a thread of its own while the body runs; a body that fails gives the claim back."""

    def __init__(self, database: Database, held: Claim) -> None:
        self._warehouse = database
        self._held = held
        self._over = threading.Event()
        self._renewal = threading.Thread(target=copy_context().run, args=(self._renew,), daemon=True)

    def __enter__(self) -> None:
        self._renewal.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        self._over.set()
        self._renewal.join()
        if error:
            self._give_back(error)

    def _give_back(self, error: BaseException) -> None:
        values = {
            "state": "held" if isinstance(error, OnHold) else "queued",
            "reason": sentence(error),
            "is_put_off": isinstance(error, TooSoon),
        }
        with self._warehouse.transaction() as transaction:
            transaction.run("give_back_run", **self._held.run.identity(), worker=self._held.worker, **values)

    def _renew(self) -> None:
        while not self._over.wait(self._held.lease.total_seconds() / RENEWALS):
            try:
                with self._warehouse.transaction() as transaction:
                    transaction.run("renew_lease", worker=self._held.worker, lease=self._held.lease)
            except OtcpipeError as error:
                log.warning("A lease could not be renewed: %s", error)


def sentence(error: BaseException) -> str:
    """What went wrong, for people: our errors are sentences already."""
    text = legible(str(error).strip())
    return text if isinstance(error, OtcpipeError) else f"{type(error).__name__}: {text or 'no message'}"


def legible(text: str) -> str:
    """Text that Postgres takes: what is no character of UTF-8, and the null character, are replaced."""
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}").encode(errors="replace").decode()


def finish(database: Database, held: Claim, output: StageResult) -> bool:
    """Note the output, and the next run as due, in one transaction; false when the lease was lost."""
    with database.transaction() as transaction:
        values = {
            "output_key": output.key,
            "output_generation": output.generation,
            "counts": json.dumps(output.counts),
            "reason": output.reason,
        }
        noted = transaction.row("finish_run", **held.run.identity(), worker=held.worker, **values)
        if not noted:
            return False
        transaction.run("resolve_letters", **held.run.identity())
        following = replace(held.run, **noted).following(output)
        if following:
            _make_due(transaction, following)
        return True


def _make_due(transaction: Transaction, run: Run) -> bool:
    """Note a run as due; return False if it is due or done already.

    To compute again is to compute all of a week's metrics: they become due here, once. If each attempt marked them,
    two runs that wait for each other would give each other work without end.
    """
    is_new = bool(transaction.run("request_run", **run.entry()))
    if is_new and run.request and run.stage.name == "compute":
        definitions.mark_due(transaction, run.key.partition.week_ending)
    return is_new


def complete_waiting_computes(database: Database, reach: int) -> None:
    """Complete the runs that wait to compute weeks that another run computed, with `reach` weeks after them.

    The stage after compute, if there is one, becomes due for each: recovery sends it if its message does not.
    """
    following = definition.after(definition.named("compute"))
    stages, versions = ([following.name], [following.code_version]) if following else ([], [])
    with database.transaction() as transaction:
        transaction.run("settle_computed", reach=reach, next_stages=stages, next_versions=versions)


def producer(database: Database, key: str) -> Row | None:
    """The stage, key and generation of the run that makes an object."""
    with database.transaction() as transaction:
        return transaction.row("producer", key=key)


def partitions(database: Database, week_ending: date | None = None) -> list[Row]:
    """One row a partition that was ever asked for, oldest week first."""
    with database.transaction() as transaction:
        return transaction.rows("partitions", week_ending=week_ending, last_stage=definition.PIPELINE[-1].name)


def generation_of(database: Database, key: Key) -> int:
    """The capture that a key stems from, the newest where there are several; 0 before there is one."""
    with database.transaction() as transaction:
        row = transaction.row("generation_of", key=str(key))
    return int(row["generation"]) if row else 0


def runs_with_prefix(database: Database, stage: Stage, prefix: str, start: str, limit: int | None) -> list[Run]:
    """A stage's runs on keys that begin so, for the newest capture of each, oldest week first."""
    with database.transaction() as transaction:
        rows = transaction.rows("begun_with", stage=stage.name, start=f"{prefix}/{start}", limit=limit)
    return [Run(stage, parse(row["key"], prefix), row["generation"]) for row in rows]
