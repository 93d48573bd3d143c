"""Time limits end what they limit: waits for locks, helper threads of a stage, and a worker that must stop."""

import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import copy_context
from typing import Any

import dramatiq
import psycopg
import pytest
from dramatiq.middleware import TimeLimitExceeded

from otcpipe import resources
from otcpipe.broker import actors
from otcpipe.broker.interrupts import raise_in_thread
from otcpipe.broker.messages import message_of
from otcpipe.errors import TooSoon
from otcpipe.pipeline.ledger import Run
from otcpipe.records import Partition
from otcpipe.storage import cancellation, postgres, postgres_errors
from otcpipe.storage.cancellation import StageWork, Stopped
from tests.support.pipeline import WEEK, carrier, drive, file_text, functions, observe

Sql = Callable[..., list[tuple[Any, ...]]]
Workers = Callable[..., "subprocess.Popen[bytes]"]
OTCE = Partition(WEEK, "OTCE")
WAITING = """
    select query from pg_stat_activity
    where
        datname = current_database() and backend_type = 'client backend' and wait_event_type = 'Lock'
        and query like %s
"""
DONE = "select count(*) from otc.stage_run where stage = 'compute' and state = 'done'"
LIMIT_SECONDS, END_SECONDS = 2, 5


def wait(condition: Callable[[], object], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it never came to be"
        time.sleep(0.05)


def due(stage: str) -> Run:
    """A run of a stage, with all before it done."""
    left = [observe(file_text([("A", "AAAA", 5, 1)]), OTCE)]
    while left[0].stage.name != stage:
        run, left = left[0], []
        carrier(lambda run, _: left.append(run)).execute(run, functions()[run.stage.name])  # noqa: B023
    return left[0]


def push(run: Run, **options: object) -> None:
    message: dramatiq.Message[None] = message_of(run).copy(options=options)
    actors.broker().declare_queue(run.stage.name)
    actors.broker().enqueue(message)


@contextmanager
def locked(environment: dict[str, str], statement: str) -> Iterator[None]:
    with psycopg.connect(environment["OTCPIPE_DATABASE_URL"], application_name="other") as other:
        other.execute(statement.encode())
        yield
        other.rollback()


@pytest.mark.parametrize(
    ("stage", "statement", "query"),
    [
        ("persist", "lock table otc_internal.volume_record in access exclusive mode", "%"),
        ("persist", "lock table otc.stage_run in access exclusive mode", "%insert into otc.stage_run as r%"),
        ("compute", "lock table otc.symbol_summary, otc.venue_share in access exclusive mode", "%"),
    ],
    ids=["a table", "the ledger", "two lanes"],
)
def test_a_stage_that_waits_for_a_lock_ends_at_its_limit_and_succeeds_later(
    stage: str, statement: str, query: str, environment: dict[str, str], workers: Workers, sql: Sql
) -> None:
    run = due(stage)
    workers()
    actors.broker().declare_queue(stage)
    wait(lambda: actors.broker().client.exists(f"otcpipe:moved:{stage}"))
    with locked(environment, statement):
        push(run, time_limit=1000 * LIMIT_SECONDS, min_backoff=8_000, max_backoff=8_000)
        wait(lambda: sql(WAITING, query))
        begun = time.monotonic()
        wait(lambda: not sql(WAITING, query), LIMIT_SECONDS + END_SECONDS)
        assert time.monotonic() - begun > LIMIT_SECONDS / 2
        time.sleep(1)
        assert not sql(WAITING, query), "nothing begins anew before the next attempt"
    client = actors.broker().client
    wait(lambda: client.hlen(f"otcpipe:{stage}.DQ.msgs") == 1)
    (body,) = client.hvals(f"otcpipe:{stage}.DQ.msgs")
    assert isinstance(body, bytes)
    assert dramatiq.Message.decode(body).options["retries"] == 1
    wait(lambda: sql(DONE) == [(1,)], 100)


def test_a_worker_that_must_stop_does_not_wait_for_a_lock_and_leaves_the_run_to_another(
    environment: dict[str, str], workers: Workers, sql: Sql
) -> None:
    run = due("persist")
    with locked(environment, "lock table otc_internal.volume_record in access exclusive mode"):
        push(run)
        first = workers()
        wait(lambda: sql(WAITING, "%"))
        first.terminate()
        assert first.wait(30) == 0
        assert not sql(WAITING, "%")
    assert sql("select state, attempts, unended from otc.stage_run where stage = 'persist'") == [("queued", 1, 0)]
    message_ids = actors.message_ids()
    assert message_ids == {run.message_id}
    workers()
    wait(lambda: sql(DONE) == [(1,)])


def test_a_lock_that_is_held_for_long_delays_the_run_without_counting_an_attempt(
    environment: dict[str, str], sql: Sql, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, sent = due("persist"), list[tuple[Run, float]]()
    monkeypatch.setitem(postgres.SESSION_LIMITS, "lock_timeout", "200ms")
    resources.database().close()
    resources.database.cache_clear()
    with locked(environment, "lock table otc_internal.volume_record in access exclusive mode"):
        carrier(lambda *one: sent.append(one)).execute(run, functions()["persist"])
        with (
            pytest.raises(TooSoon, match="another transaction holds a lock"),
            resources.database().transaction() as one,
        ):
            one.connection.execute("select from otc_internal.volume_record")
    assert sent == [(run, postgres_errors.BUSY_SECONDS)]
    assert sql("select state, attempts from otc.stage_run where stage = 'persist'") == [("queued", 0)]
    drive(run)
    assert sql(DONE) == [(1,)]


def stopped(work: StageWork, until: Callable[[], bool]) -> None:
    """Stop the work repeatedly, as the middleware does."""
    while not until():
        work.stop(TimeLimitExceeded)
        time.sleep(0.05)


def test_work_without_a_server_is_interrupted_where_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cancellation, "PATIENCE_SECONDS", 0.1)
    works, ended = list[StageWork](), list[type[BaseException]]()

    def counts() -> None:
        works.append(StageWork(raise_in_thread))
        cancellation.CURRENT.set(works[0])
        number = 0
        try:
            while True:
                number += 1
        except TimeLimitExceeded as error:
            cancellation.check()
            ended.append(type(error))

    thread = threading.Thread(target=copy_context().run, args=(counts,))
    thread.start()
    wait(lambda: works)
    stopped(works[0], lambda: not thread.is_alive())
    assert ended == [TimeLimitExceeded]


def test_the_reason_is_raised_once_and_helpers_stop_at_each_check() -> None:
    work, found = StageWork(raise_in_thread), list[str]()
    work.check()
    work.stop(TimeLimitExceeded)

    def helps() -> None:
        for _ in range(2):
            try:
                work.check()
            except Stopped as error:
                found.append(str(error))

    helper = threading.Thread(target=helps)
    helper.start()
    helper.join()
    assert found == ["The stage was stopped."] * 2
    with pytest.raises(TimeLimitExceeded):
        work.check()
    with work.cancellable_by(lambda: None):
        work.check()


def test_work_that_has_ended_is_not_stopped() -> None:
    work = StageWork(raise_in_thread)
    work.end()
    work.stop(TimeLimitExceeded)
    work.check()
