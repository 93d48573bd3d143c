"""A stage run again, interrupted anywhere, alone or by two workers, leaves every table equal, history included."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import timedelta
from itertools import count
from random import Random
from typing import Any

import psycopg
import pytest

from otcpipe import resources
from otcpipe.audit.revisions import revisions
from otcpipe.pipeline import claims, ledger
from otcpipe.pipeline.ledger import Run
from otcpipe.records import Partition
from otcpipe.storage.postgres import Database, Transaction
from tests.support.pipeline import NOON, WEEK, api_text, drive, file_text, functions, observe, of_stage, reconciled
from tests.support.tables import all_tables

Sql = Callable[..., list[tuple[Any, ...]]]
T1 = Partition(WEEK, "T1")
DAY = timedelta(days=1)
NON_ATS = {"summaryTypeCode": "OTC_W_SMBL_FIRM", "MPID": "", "firmCRDNumber": 7, "marketParticipantName": "Seven LLC"}
Rows = list[dict[str, object]]
USUAL: Rows = [{"issueSymbolIdentifier": f"S{number}"} for number in range(30)]
FIRST: Rows = [*USUAL, {**NON_ATS}, {"issueSymbolIdentifier": ""}]
SECOND: Rows = [
    *(row | {"totalWeeklyShareQuantity": 7} for row in USUAL[:5]),
    *USUAL[5:],
    {"issueSymbolIdentifier": "NEW"},
    NON_ATS | {"totalWeeklyTradeCount": 11},
    {"issueSymbolIdentifier": "", "totalNotionalSum": "1.5"},
]


@pytest.fixture
def runs(environment: dict[str, str]) -> list[Run]:
    """All runs of two answers of the API, of the first again (a value that reverts), and of a file in between."""
    carried = drive(observe(api_text(FIRST, T1), T1, covers="all"))
    carried += drive(observe(api_text(SECOND, T1), T1, NOON + DAY, "all"))
    carried += drive(observe(api_text(FIRST, T1), T1, NOON + 3 * DAY, "all"))
    file = file_text([("S1", "AAAA", 100, 10), ("S2", "AAAA", 8, 10)], "T1").replace(b"S1 Inc", b"Abc Inc")
    carried += drive(observe(file, T1, NOON + 2 * DAY))
    return carried


def test_the_persist_stage_of_a_restatement_run_twice_again_adds_no_row_and_no_revision(sql: Sql) -> None:
    drive(observe(api_text(FIRST, T1), T1, covers="all"))
    persisted = of_stage(drive(observe(api_text(SECOND, T1), T1, NOON + DAY, "all")), "persist")
    before, changes = all_tables(sql), revisions(resources.database())
    for number in range(3):
        drive(replace(persisted, request=f"again {number}"))
    assert all_tables(sql) == before
    assert revisions(resources.database()) == changes
    assert len(changes) == 8


def test_every_stage_of_every_capture_run_again_changes_nothing(runs: list[Run], sql: Sql) -> None:
    before = all_tables(sql)
    for number, run in enumerate([*runs, *reversed(runs)]):
        drive(replace(run, request=f"again {number}"))
    assert all_tables(sql) == before


def test_two_workers_in_one_stage_change_no_more_than_one(runs: list[Run], sql: Sql) -> None:
    """Simulate a worker that was paused for longer than its lease."""
    before = all_tables(sql)
    for run in runs:
        bodies = [threading.Thread(target=functions()[run.stage.name], args=(run,)) for _ in range(2)]
        for body in bodies:
            body.start()
        for body in bodies:
            body.join(60)
    assert all_tables(sql) == before


class Cut(Exception):
    """The worker was killed."""


@contextmanager
def cut(patch: pytest.MonkeyPatch, at: int, *, after_commit: bool) -> Iterator[None]:
    """Make the transaction with this number end in an error: before its commit, or just after it."""
    real, begun = Database.transaction, count()

    @contextmanager
    def transaction(self: Database) -> Iterator[Transaction]:
        number = next(begun)
        with real(self) as inner:
            yield inner
            if number == at and not after_commit:
                raise Cut
        if number == at:
            raise Cut

    with patch.context() as patched:
        patched.setattr(Database, "transaction", transaction)
        yield


@pytest.mark.parametrize("seed", range(12))
def test_a_stage_cut_off_before_or_after_any_commit_ends_in_the_same_tables_when_it_runs_again(
    sql: Sql, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    rng, contents = Random(seed), [(FIRST, NOON), (SECOND, NOON + DAY), (FIRST, NOON + 2 * DAY)]
    observed = [observe(api_text(rows, T1), T1, at, "all") for rows, at in contents]
    drive(*observed)
    expected = all_tables(sql)
    sql("drop schema otc, otc_internal cascade")
    resources.database().migrate()
    rng.shuffle(observed)
    for run in observed:
        with suppress(Cut), cut(monkeypatch, rng.randrange(25), after_commit=rng.random() < 0.5):
            drive(run)
        sql("update otc.stage_run set lease_until = now() - interval '1 minute' where state = 'running'")
        for again in range(rng.randint(0, 2)):
            drive(replace(run, request=f"again {again}"))
    sql("update otc.stage_run set queued_at = now() - interval '1 minute' where state = 'queued'")
    drive(*reconciled())
    assert all_tables(sql) == expected


def test_the_schema_forbids_a_record_closed_by_the_capture_that_opened_it(runs: list[Run], sql: Sql) -> None:
    with pytest.raises(psycopg.errors.CheckViolation):
        sql("update otc_internal.volume_record set closed_by = opened_by where symbol = 'NEW'")


def test_the_schema_forbids_two_current_versions_and_two_that_one_capture_closed(runs: list[Run], sql: Sql) -> None:
    for text in (
        "insert into otc_internal.volume_record select * from otc_internal.volume_record where closed_by is null",
        "insert into otc_internal.volume_record select * from otc_internal.volume_record where closed_by is not null",
    ):
        with pytest.raises(psycopg.errors.UniqueViolation):
            sql(text)


def test_the_schema_forbids_versions_of_one_record_that_overlap(runs: list[Run], sql: Sql) -> None:
    sql("begin")
    with pytest.raises(psycopg.errors.IntegrityConstraintViolation, match="two versions of a record of S0 overlap"):
        sql(
            """
            with wrong as (
                update otc_internal.volume_record set closed_by = (
                    select capture_id from otc.capture order by observed_at limit 1 offset 3
                )
                where symbol = 'S0' and share_volume = 100 and closed_by = (
                    select capture_id from otc.capture order by observed_at limit 1 offset 1
                )
            )
            update otc.capture set persisted_at = now()
            """
        )


def test_a_lost_lease_passes_nothing_on(runs: list[Run], sql: Sql) -> None:
    persisted = replace(of_stage(runs, "persist"), request="twice")
    ledger.request(resources.database(), persisted)
    claim = claims.claim(resources.database(), persisted)
    assert isinstance(claim, claims.Claim)
    sql("update otc.stage_run set lease_until = now() - interval '1 minute' where state = 'running'")
    drive(persisted)
    before = all_tables(sql)
    output = functions()["persist"](claim.run)
    assert not claims.finish(resources.database(), claim, output)
    assert all_tables(sql) == before
