"""Dead letters: every way to die, in a real worker, with its last error; replay, and what becomes of it."""

import json
import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import dramatiq
import psycopg
import pytest
import redis

from otcpipe import resources
from otcpipe.broker import actors, messages
from otcpipe.errors import Invalid
from otcpipe.pipeline import claims, dead_letters, definition, ledger
from otcpipe.pipeline.dead_letters import DeadMessage
from otcpipe.pipeline.failures import Failure
from otcpipe.pipeline.ledger import Run
from otcpipe.records import Partition
from otcpipe.storage import keys
from tests.support.pipeline import WEEK, carrier, drive, file_text, functions, observe

Sql = Callable[..., list[tuple[Any, ...]]]
Command = Callable[..., "subprocess.CompletedProcess[str]"]
Workers = Callable[..., "subprocess.Popen[bytes]"]
TIERS = ("OTCE", "T1", "T2")
DONE = "select count(*) from otc.stage_run where stage = 'compute' and state = 'done'"


def wait(condition: Callable[[], object], seconds: float = 100) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the condition never held"
        time.sleep(0.1)


def observed(tier: str = "OTCE", week: Any = WEEK) -> Run:
    partition = Partition(week, tier)
    return observe(file_text([("A", "AAAA", 5, 1)], tier), partition)


def push(run: Run, *, actor: str | None = None, **options: object) -> None:
    """A message of the run with options of its own."""
    message: dramatiq.Message[None] = dramatiq.Message(
        queue_name=run.stage.name,
        actor_name=actor or run.stage.actor,
        args=(str(run.key),),
        kwargs={},
        options={"generation": run.generation, "request": run.request, "is_last": run.is_last, **options},
        message_id=run.message_id,
    )
    actors.broker().declare_queue(run.stage.name)
    actors.broker().enqueue(message)


@pytest.fixture
def death(environment: dict[str, str]) -> Callable[..., DeadMessage]:
    """A dead message as Redis holds it, of a run in the ledger."""

    def make(run: Run, name: str = "", error: Exception | None = None) -> DeadMessage:
        message: dramatiq.Message[None] = dramatiq.Message(
            queue_name=run.stage.name,
            actor_name=run.stage.actor,
            args=(str(run.key),),
            kwargs={},
            options={"generation": run.generation},
        )
        failure = Failure.of(error or OSError("no space"), 3)
        return DeadMessage(name or str(uuid.uuid4()), "cache", message.encode(), datetime.now(UTC), failure)

    return make


def test_each_way_to_die_is_recorded_with_its_last_error_and_can_be_replayed(
    environment: dict[str, str], here: Command, workers: Workers, sql: Sql
) -> None:
    week = timedelta(days=7)
    spent, late = observed("OTCE"), observed("T1")
    poison, fetched = observed("T2"), observed("OTCE", WEEK - week)
    raw = drive_to_raw(fetched)
    gone = resources.store().get(str(raw.key))
    resources.store().discard(str(raw.key))
    with psycopg.connect(environment["OTCPIPE_DATABASE_URL"]) as other, redis_client(environment) as client:
        sql(
            """
            create function refuse() returns trigger language plpgsql as
            $$ begin if new.tier = 'OTCE' then raise 'the quota is used up'; end if; return new; end $$
            """
        )
        sql("create trigger refuse before insert on otc.capture for each row execute function refuse()")
        sql(
            "update otc.stage_run set state = 'running', unended = 2, lease_until = now() where key = %s",
            str(poison.key),
        )
        other.execute("lock table otc.capture in share mode")
        push(spent, max_retries=1, min_backoff=10, max_backoff=20)
        push(late, max_retries=0, time_limit=2000)
        push(poison)
        push(raw)
        push(fetched, actor="cache_nothing")
        client.hset("otcpipe:cache.msgs", "bad", b'{"queue_name": "cache", "act')
        client.rpush("otcpipe:cache", "bad")
        workers()
        wait(lambda: sql("select 1 from otc.letter where error_class = 'TimeLimitExceeded'"))
        other.rollback()
        wait(lambda: len(json.loads(here("dlq", "list", "--json").stdout)) == 6)
    told = {row["error_class"]: row for row in json.loads(here("dlq", "list", "--json").stdout)}
    assert {name: (row["stage"], row["attempts"], row["reason"]) for name, row in told.items()} == {
        "RaiseException": ("cache", 2, told["RaiseException"]["reason"]),
        "TimeLimitExceeded": ("cache", 1, "TimeLimitExceeded: no message"),
        "Poisonous": ("cache", 1, "3 workers in a row crashed during this run; it is not tried again."),
        "Permanent": ("parse", 1, told["Permanent"]["reason"]),
        "ActorNotFound": (None, 1, "ActorNotFound: cache_nothing"),
        "DecodeError": (None, 1, told["DecodeError"]["reason"]),
    }
    assert "the quota is used up" in told["RaiseException"]["reason"]
    assert "cannot be decoded" in told["DecodeError"]["reason"]
    shown = here("dlq", "show", told["RaiseException"]["letter_id"]).stdout
    assert "Traceback" in shown and "add_capture" in shown and str(spent.key) in shown
    listed = here("dlq", "list").stdout
    assert all(name in listed for name in told)

    sql("drop trigger refuse on otc.capture")
    resources.store().put_once(str(raw.key), gone)
    mended = [told[name]["letter_id"] for name in ("RaiseException", "TimeLimitExceeded", "Poisonous", "Permanent")]
    assert here("dlq", "replay", *mended).returncode == 0
    wait(lambda: sql(DONE) == [(4,)])
    states = {row["letter_id"]: row["state"] for row in json.loads(here("dlq", "list", "--all", "--json").stdout)}
    assert [states[letter_id] for letter_id in mended] == ["resolved"] * 4
    unread = here("dlq", "replay", told["DecodeError"]["letter_id"], told["ActorNotFound"]["letter_id"])
    assert unread.returncode == 1
    assert "2 of 2 letters cannot be replayed" in unread.stderr
    assert "cache_nothing" in unread.stdout and "cannot be decoded" in unread.stdout


def drive_to_raw(run: Run) -> Run:
    """Carry the cache stage alone; the run of the parse stage that follows."""
    carrier(lambda *_: None).execute(run, functions()[run.stage.name])
    ((key, generation),) = services_rows(run)
    raw = Run(definition.named("parse"), keys.parse(key, run.key.prefix), generation)
    return ledger.request(resources.database(), raw)


def services_rows(run: Run) -> list[tuple[str, int]]:
    with resources.database().transaction() as transaction:
        row = transaction.rows("run", **run.identity(), most=3, ours=None)[0]
    return [(row["output_key"], row["output_generation"])]


def redis_client(environment: dict[str, str]) -> "redis.Redis":
    return redis.Redis.from_url(environment["OTCPIPE_REDIS_URL"])


def test_a_message_that_an_older_worker_does_not_know_is_replayed_by_a_newer_one(
    environment: dict[str, str], here: Command, workers: Workers, sql: Sql
) -> None:
    actors.send(observed())
    command = [sys.executable, "-m", "dramatiq", "tests.support.old_worker", "--processes", "1", "--threads", "1"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as old:
        wait(lambda: sql("select error_class, stage from otc.letter") == [("ActorNotFound", "compute")])
        old.terminate()
    workers()
    assert here("dlq", "replay", "--stage", "compute", "--error", "ActorNotFound").returncode == 0
    wait(lambda: sql("select state from otc.letter") == [("resolved",)])
    assert sql(DONE) == [(1,)]


def test_a_dead_message_is_recorded_once_and_its_run_fails_in_the_ledger(
    death: Callable[..., DeadMessage], sql: Sql
) -> None:
    told = death(observed())
    assert dead_letters.record(resources.database(), told, messages.read)
    assert dead_letters.record(resources.database(), told, messages.read)
    assert sql("select error_class, attempts, state, reason from otc.letter") == [
        ("OSError", 3, "open", "OSError: no space")
    ]
    assert sql("select state, reason from otc.stage_run") == [("failed", "OSError: no space")]


def test_a_dead_message_that_is_recorded_again_undoes_no_replay(death: Callable[..., DeadMessage], sql: Sql) -> None:
    told = death(observed())
    dead_letters.record(resources.database(), told, messages.read)
    dead_letters.replay(resources.database(), dead_letters.find(resources.database())[0], messages.read)
    dead_letters.record(resources.database(), told, messages.read)
    assert sql("select state from otc.stage_run") == [("queued",)]


def test_a_dead_message_whose_run_succeeded_meanwhile_is_resolved(
    death: Callable[..., DeadMessage], sql: Sql
) -> None:
    run = observed()
    told = death(run)
    drive(run)
    dead_letters.record(resources.database(), told, messages.read)
    assert sql("select state from otc.letter") == [("resolved",)]


def test_a_dead_message_that_cannot_be_recorded_holds_up_no_other(
    death: Callable[..., DeadMessage], sql: Sql
) -> None:
    sql(
        """
        create function refuse() returns trigger language plpgsql as
        $$ begin if new.tier = 'T1' then raise 'not that one'; end if; return new; end $$
        """
    )
    sql("create trigger refuse before insert on otc.dead_letter for each row execute function refuse()")
    push(observed("T1"))
    push(observed("T2"))
    with actors.broker().client as client:
        for name in client.lrange("otcpipe:cache", 0, -1):
            client.zadd("otcpipe:cache.XQ", {name: 1})
            client.hset("otcpipe:cache.XQ.msgs", name, client.hget("otcpipe:cache.msgs", name))
    actors.record_dead_messages()
    assert sql("select tier from otc.letter") == [("T2",)]
    assert actors.broker().client.zcard("otcpipe:cache.XQ") == 1


@pytest.mark.parametrize(
    ("died", "name", "noted"),
    [
        (float("inf"), b"\0", None),
        (float("-inf"), b"\xff\xfe", b"{"),
        (1e300, b"x" * 5000, b"[]"),
        (-1e18, "\u202e".encode(), b'{"error_class": 1}'),
        (1, b"plain", b'{"attempts": "many"}'),
        (2, b"", b'{"error_class": "E", "reason": 1, "traceback": null, "attempts": 99999999999999}'),
        (3, b"a\nb", b"\xff"),
    ],
)
def test_odd_neighbours_of_the_dead_are_recorded_too(
    died: float, name: bytes, noted: bytes | None, environment: dict[str, str], sql: Sql
) -> None:
    client = actors.broker().client
    client.zadd("otcpipe:parse.XQ", {name: died})
    client.hset(
        "otcpipe:parse.XQ.msgs", name, b'{"actor_name": "\\u0000", "message_timestamp": 1e99}' + b" " * 100_000
    )
    if noted is not None:
        client.hset("otcpipe:causes", name, noted)
    actors.record_dead_messages()
    ((error, stage, actor, length),) = sql("select error_class, stage, actor, length(message) from otc.letter")
    assert (error, stage, actor, length) == ("DecodeError", None, None, messages.MAX_BYTES + 1)
    assert (
        client.zcard("otcpipe:parse.XQ") + client.hlen("otcpipe:parse.XQ.msgs") + client.hlen("otcpipe:causes") == 0
    )


def test_a_dead_message_waits_while_another_worker_holds_the_run(death: Callable[..., DeadMessage], sql: Sql) -> None:
    run = observed()
    assert isinstance(claims.claim(resources.database(), run), claims.Claim)
    assert not dead_letters.record(resources.database(), death(run), messages.read)
    assert sql("select count(*) from otc.letter") == [(0,)]


def test_a_second_replay_changes_nothing(death: Callable[..., DeadMessage], sql: Sql) -> None:
    dead_letters.record(resources.database(), death(observed()), messages.read)
    (letter,) = dead_letters.find(resources.database())
    run = dead_letters.replay(resources.database(), letter, messages.read)
    assert run is not None
    assert dead_letters.replay(resources.database(), letter, messages.read) is None
    assert sql("select state from otc.stage_run") == [("queued",)]
    drive(run)
    assert sql("select state from otc.letter") == [("resolved",)]


def test_a_letter_is_resolved_too_when_its_run_succeeds_without_a_replay(
    death: Callable[..., DeadMessage], sql: Sql
) -> None:
    run = observed()
    dead_letters.record(resources.database(), death(run), messages.read)
    drive(Run(run.stage, run.key, request="anew"))
    assert sql("select state from otc.letter") == [("resolved",)]


def test_a_message_that_cannot_be_read_stays_as_it_is(death: Callable[..., DeadMessage], sql: Sql) -> None:
    dead_letters.record(resources.database(), DeadMessage("x", "cache", b"{", datetime.now(UTC), None), messages.read)
    (letter,) = dead_letters.find(resources.database())
    with pytest.raises(Invalid, match="cannot be decoded"):
        dead_letters.replay(resources.database(), letter, messages.read)
    assert sql("select state, stage from otc.letter") == [("open", None)]


def test_letters_are_found_by_stage_week_error_and_time(death: Callable[..., DeadMessage], here: Command) -> None:
    for tier, error in (("T1", OSError("a")), ("T2", ValueError("b")), ("OTCE", OSError("c"))):
        dead_letters.record(resources.database(), death(observed(tier), error=error), messages.read)
    asked = [
        ("--error", "OSError"),
        ("--stage", "cache"),
        ("--stage", "parse"),
        ("--week", "2025-11-12"),
        ("--week", "2025-11-21"),
        ("--since", "2020-01-01"),
        ("--since", "2099-01-01"),
    ]
    found = [len(json.loads(here("dlq", "list", *question, "--json").stdout)) for question in asked]
    assert found == [2, 3, 0, 3, 0, 3, 0]
    wrong = here("dlq", "list", "--stage", "cook")
    assert (wrong.returncode, "is not a stage" in wrong.stderr) == (2, True)


def test_replay_can_be_tried_first_and_bounded(death: Callable[..., DeadMessage], here: Command, sql: Sql) -> None:
    for tier in TIERS:
        dead_letters.record(resources.database(), death(observed(tier)), messages.read)
    dry = here("dlq", "replay", "--error", "OSError", "--limit", "2", "--dry-run")
    assert dry.stdout.count("would run again") == 2
    assert sql("select count(*) from otc.letter where state = 'open'") == [(3,)]
    assert here("dlq", "replay", "--error", "OSError", "--limit", "2").returncode == 0
    assert sql("select count(*) from otc.letter where state = 'open'") == [(1,)]
    assert here("dlq", "replay").returncode == 2
    assert here("dlq", "replay", "999").returncode == 2


def test_old_letters_are_purged_only_on_confirmation(
    death: Callable[..., DeadMessage], here: Command, sql: Sql
) -> None:
    dead_letters.record(resources.database(), death(observed()), messages.read)
    assert "1 letter older than" in here("dlq", "purge", "--older-than", "0").stdout
    assert sql("select count(*) from otc.letter") == [(1,)]
    assert here("dlq", "purge", "--older-than", "1", "--yes").returncode == 0
    assert sql("select count(*) from otc.letter") == [(1,)]
    assert here("dlq", "purge", "--older-than", "0", "--yes").returncode == 0
    assert sql("select count(*) from otc.letter") == [(0,)]


def test_while_postgres_is_away_redis_keeps_the_dead(environment: dict[str, str], workers: Workers, sql: Sql) -> None:
    run = observed()
    sql("alter table otc.dead_letter rename to away")
    resources.store().discard(str(run.key))
    push(run, max_retries=0)
    workers()
    with redis_client(environment) as client:
        wait(lambda: client.zcard("otcpipe:cache.XQ") == 1)
        sql("alter table otc.away rename to dead_letter")
        wait(lambda: sql("select error_class from otc.letter") == [("Permanent",)])
        wait(lambda: client.zcard("otcpipe:cache.XQ") + client.hlen("otcpipe:causes") == 0)
