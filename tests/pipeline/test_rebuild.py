"""S3 alone brings every table back, and any older dump of the database ends in the same tables."""

import random
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
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
from otcpipe.stack import Supervisor
from tests.conftest import changed_environment, forget, place, querying
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
DUMPS = range(3)  # seeds of the moment of a dump
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


@dataclass
class Original:
    """A place with the whole history: variables, final tables, runs, and dumps by the number of the next step."""

    variables: dict[str, str]
    tables: dict[str, list[str]] = field(default_factory=dict)
    runs: list[Run] = field(default_factory=list)
    dumps: dict[int, str] = field(default_factory=dict)


@pytest.fixture(scope="module")
def original(servers: Supervisor, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Original]:
    dumped_before = {step_of_dump(random.Random(seed)) for seed in DUMPS}
    with place(servers, tmp_path_factory.mktemp("original")) as variables:
        found, query = Original(variables), querying(variables)
        for number, step in enumerate(history()):
            if number in dumped_before:
                found.dumps[number] = f"{name_of(variables)}_{number}"
                copy(variables, name_of(variables), found.dumps[number])
            done = step()
            found.runs += done if isinstance(done, list) else []
        settle(query)
        found.tables = all_tables(query)
        yield found
        for name in found.dumps.values():
            drop(variables, name)


@pytest.fixture
def put(environment: dict[str, str], original: Original) -> Iterator[Callable[[str], None]]:
    """Put a copy of a database in the place of the test's own, beside the objects of the history."""

    def put(name: str) -> None:
        drop(environment, name_of(environment))
        copy(environment, name, name_of(environment))

    with changed_environment({"OTCPIPE_S3_PREFIX": original.variables["OTCPIPE_S3_PREFIX"]}):
        yield put


@pytest.fixture
def built(original: Original, put: Callable[[str], None]) -> dict[str, list[str]]:
    put(name_of(original.variables))
    return original.tables


def step_of_dump(rng: random.Random) -> int:
    return rng.randrange(len(history()))


def name_of(variables: dict[str, str]) -> str:
    return variables["OTCPIPE_DATABASE_URL"].rpartition("/")[2]


def copy(variables: dict[str, str], name: str, new: str) -> None:
    administer(variables, f"create database {new} template {name} strategy file_copy")


def drop(variables: dict[str, str], name: str) -> None:
    administer(variables, f"drop database {name} with (force)")


def administer(variables: dict[str, str], statement: str) -> None:
    """Run a statement about whole databases, with none of them connected."""
    forget()
    server = variables["OTCPIPE_DATABASE_URL"].rpartition("/")[0]
    with psycopg.connect(f"{server}/postgres", autocommit=True) as admin:
        admin.execute(statement.encode())


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


@pytest.mark.parametrize("seed", DUMPS)
def test_an_older_dump_beside_todays_objects_and_any_messages_ends_in_the_same_tables(
    original: Original, put: Callable[[str], None], sql: Sql, seed: int
) -> None:
    rng = random.Random(seed)
    put(original.dumps[step_of_dump(rng)])
    sent = rng.sample(original.runs, len(original.runs) // 2)  # what an old Redis still holds
    for number, run in enumerate(sent):
        execute(replace(run, request=f"of before {number}") if rng.random() < 0.5 else run)
    settle(sql)
    assert differences(all_tables(sql), original.tables) == {}


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
    assert "S3 holds 13 observations, 3 decisions and" in said.stdout
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
