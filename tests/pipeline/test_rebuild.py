"""S3 alone brings every table back, and any older dump of the database ends in the same tables."""

import random
import subprocess
from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import psycopg
import pytest

from otcpipe import resources, weeks
from otcpipe.broker import actors
from otcpipe.errors import OtcpipeError
from otcpipe.pipeline import decisions, ledger, planning, synchronization
from otcpipe.pipeline.ledger import Run
from otcpipe.records import Partition
from tests.support.pipeline import (
    NOON,
    WEEK,
    accept,
    api_text,
    carrier,
    drive,
    fail,
    file_text,
    functions,
    observe,
    reconciled,
)
from tests.support.tables import all_tables, differences

Sql = Callable[..., list[tuple[Any, ...]]]
Here = Callable[..., "subprocess.CompletedProcess[str]"]
DAY = timedelta(days=1)
SOUND = [(f"S{number}", "AAAA", 100, 1) for number in range(90)]
BROKEN = file_text([*SOUND, *((f"X{number}", "AAAA", "many", 1) for number in range(11))])
NON_ATS = {"summaryTypeCode": "OTC_W_SMBL_FIRM", "MPID": "", "firmCRDNumber": 7, "marketParticipantName": "Seven LLC"}


def partition(weeks_before: int, tier: str = "OTCE") -> Partition:
    return Partition(WEEK - weeks_before * 7 * DAY, tier)


def history() -> list[Callable[[], object]]:
    """A history with each kind of observation and decision: in steps, so that a dump may lie between any two."""

    def file(weeks_before: int, content: bytes, day: int = 0) -> Callable[[], object]:
        published = str(date(2025, 12, 15) - weeks_before * 7 * DAY).encode()
        content = content.replace(b"2025-12-15", published)
        return lambda: drive(observe(content, partition(weeks_before), NOON + day * DAY))

    def answer(day: int, rows: list[dict[str, object]]) -> Callable[[], object]:
        place = partition(0, "T1")
        return lambda: drive(observe(api_text(rows, place), place, NOON + day * DAY, "all"))

    return [
        *(file(number, file_text(SOUND), number % 3) for number in range(5)),
        answer(0, [{}, {"MPID": "BBBB"}, NON_ATS]),
        answer(2, [{"totalWeeklyShareQuantity": 150}, {"MPID": "BBBB"}, NON_ATS]),
        answer(1, [{"totalWeeklyShareQuantity": "1.1234567"}, {"MPID": "CCCC"}, NON_ATS]),
        file(1, BROKEN, 5),
        lambda: accept(partition(1), "so it is"),
        lambda: drive(*reconciled()),
        file(2, BROKEN, 5),
        file(3, file_text(SOUND[:20]), 4),
        lambda: withdraw(partition(3)),
        lambda: drive(*reconciled()),
        lambda: decisions.want(
            resources.database(), resources.store(), resources.settings()["S3_PREFIX"], [partition(12, "T2")], NOON
        ),
        file(6, file_text([("", "AAAA", 3, 1), ("A", "AAAA", "x", 1)]), 1),
        answer(4, [{}, {"MPID": "BBBB"}, NON_ATS]),
    ]


def withdraw(place: Partition) -> None:
    """Withdraw the newest capture of a partition."""
    with resources.database().transaction() as transaction:
        capture = transaction.rows("captures", week_ending=place.week_ending, tier=place.tier)[-1]
    decision = decisions.Decision("withdraw", place, capture["fetched_key"], "cut short", NOON + 9 * DAY)
    decisions.record(resources.database(), resources.store(), resources.settings()["S3_PREFIX"], decision)


def settle(sql: Sql, rng: random.Random | None = None) -> None:
    """Reconcile until nothing is due; with a generator the runs take turns in its order."""
    for _ in range(9):
        sql("update otc.stage_run set queued_at = now() - interval '1 hour' where state = 'queued'")
        runs = reconciled()
        if not runs:
            return
        execute(*runs, rng=rng)
    raise AssertionError("it never settles")


def execute(*runs: Run, rng: random.Random | None = None) -> None:
    """Carry runs and all that follows, one stage at a time; what fails is dead."""
    waiting, work = [*runs], functions()
    while waiting:
        run = waiting.pop(rng.randrange(len(waiting)) if rng else 0)
        try:
            carrier(lambda found, _: waiting.append(found)).execute(run, work[run.stage.name])
        except OtcpipeError as error:
            fail(run, str(error))


def lose(sql: Sql) -> None:
    """Lose PostgreSQL and set it up again."""
    sql("drop schema otc, otc_internal cascade")
    resources.database().migrate()


@pytest.fixture
def built(sql: Sql) -> dict[str, list[str]]:
    for step in history():
        step()
    settle(sql)
    return all_tables(sql)


def test_the_history_has_each_kind_of_row(built: dict[str, list[str]], sql: Sql) -> None:
    kinds = ("records", "reject", "decision", "acceptance", "held_partition", "symbol_rolling_avg", "quality")
    assert all(built[name] for name in kinds)
    assert sql("select count(*) from otc.capture where is_withdrawn") == [(1,)]
    assert sql("select count(*) from otc_internal.volume_record where closed_by is not null")[0][0] > 3
    assert sql("select distinct kind from otc_internal.decision order by 1") == [
        ("accept",),
        ("want",),
        ("withdraw",),
    ]


def test_s3_alone_brings_every_table_back(built: dict[str, list[str]], sql: Sql) -> None:
    lose(sql)
    settle(sql)
    assert differences(all_tables(sql), built) == {}


@pytest.mark.parametrize("seed", range(2))
def test_whatever_the_order_in_which_the_stages_run(built: dict[str, list[str]], sql: Sql, seed: int) -> None:
    lose(sql)
    settle(sql, random.Random(seed))
    assert differences(all_tables(sql), built) == {}


@pytest.mark.parametrize("seed", range(3))
def test_an_older_dump_beside_todays_objects_and_any_messages_ends_in_the_same_tables(
    environment: dict[str, str], sql: Sql, seed: int
) -> None:
    rng, steps = random.Random(seed), history()
    at = rng.randrange(len(steps))
    messages: list[Run] = []
    for number, one in enumerate(steps):
        if number == at:
            dump(environment)
        found = one()
        messages += found if isinstance(found, list) else []
    settle(sql)
    expected = all_tables(sql)
    restore(environment)
    sent = rng.sample(messages, len(messages) // 2)  # what an old Redis still holds
    for number, run in enumerate(sent):
        execute(replace(run, request=f"of before {number}") if rng.random() < 0.5 else run)
    settle(sql)
    assert differences(all_tables(sql), expected) == {}


def dump(environment: dict[str, str]) -> None:
    server, name = environment["OTCPIPE_DATABASE_URL"].rsplit("/", 1)
    resources.database().close()
    resources.database.cache_clear()
    with psycopg.connect(f"{server}/postgres", autocommit=True) as admin:
        admin.execute(f"create database {name}_dump template {name}".encode())


def restore(environment: dict[str, str]) -> None:
    server, name = environment["OTCPIPE_DATABASE_URL"].rsplit("/", 1)
    resources.database().close()
    resources.database.cache_clear()
    with psycopg.connect(f"{server}/postgres", autocommit=True) as admin:
        admin.execute(f"drop database {name} with (force)".encode())
        admin.execute(f"alter database {name}_dump rename to {name}".encode())


def test_the_requested_weeks_are_restored_and_so_are_the_gaps(sql: Sql, here: Here) -> None:
    newest = weeks.newest_published(NOON, "T1")
    asked = [Partition(newest - planning.WEEK * number, "T1") for number in (2, 1, 0)]
    prefix = resources.settings()["S3_PREFIX"]
    planning.enqueue_fetches(resources.database(), resources.store(), prefix, asked, lambda _: None, NOON)
    before = planning.expected_partitions(resources.database(), NOON, None, ["T1"])
    lose(sql)
    reconciled()
    assert planning.expected_partitions(resources.database(), NOON, None, ["T1"]) == before
    assert before[-1] == asked[0]


def test_the_command_says_what_s3_holds_and_what_postgres_lacks(
    built: dict[str, list[str]], sql: Sql, here: Here
) -> None:
    sql("drop schema otc, otc_internal cascade")
    actors.broker().flush_all()
    said = here("rebuild", "--dry-run")
    assert said.returncode == 0
    assert "S3 holds 13 observations and 3 decisions" in said.stdout
    assert "Postgres lacks 13 observations; nothing was changed." in said.stdout
    assert sql("select count(*) from pg_namespace where nspname = 'otc'") == [(0,)]


def test_decisions_of_a_release_that_kept_them_in_postgres_are_copied_to_s3(sql: Sql) -> None:
    drive(observe(BROKEN, partition(0)))
    accept(partition(0), "so it is")
    prefix, store = resources.settings()["S3_PREFIX"], resources.store()
    for key in list(store.keys(f"{prefix}/decision/")):
        store.discard(key)
    assert synchronization.synchronize(resources.database(), store, prefix, print) == 1
    before = all_tables(sql)
    lose(sql)
    settle(sql)
    assert all_tables(sql)["acceptance"] == before["acceptance"]
    assert ledger.partitions(resources.database())[0]["state"] == "done"
