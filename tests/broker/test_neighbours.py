"""Forged and damaged messages among good ones, with a real worker: each dies alone, and nothing stops."""

import subprocess
import time
from collections.abc import Callable
from datetime import timedelta
from random import Random
from typing import Any

import pytest
import redis

from otcpipe import resources
from otcpipe.broker import actors as broker
from otcpipe.broker import messages, queues
from otcpipe.errors import Invalid
from otcpipe.finra.rate_limit import RateLimit
from otcpipe.monitoring import work_checks
from otcpipe.monitoring.context import CheckContext
from otcpipe.pipeline import definition
from otcpipe.pipeline.ledger import Run
from otcpipe.records import Partition
from otcpipe.storage import keys
from tests.support.forged import Forged, damaged, kinds
from tests.support.pipeline import WEEK, file_text, observe

Sql = Callable[..., list[tuple[Any, ...]]]
Command = Callable[..., "subprocess.CompletedProcess[str]"]
Workers = Callable[..., "subprocess.Popen[bytes]"]
DONE = "select count(*) from otc.stage_run where stage = 'compute' and state = 'done'"
LETTERS = "select count(*) from otc.letter"
WEEK_LENGTH = timedelta(days=7)


def wait(condition: Callable[[], object], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the condition never held"
        time.sleep(0.1)


@pytest.fixture
def client(environment: dict[str, str]) -> "redis.Redis":
    return broker.broker().client


def template(stage: definition.Stage) -> Run:
    """Return a run of a stage on a well-formed key without an object."""
    prefix = resources.settings()["S3_PREFIX"]
    key = keys.of_partition(prefix, Partition(WEEK, "T2"))
    return Run(stage, key if stage.reads == "partition" else key.sibling(stage.reads, "0" * 64))


def good(number: int) -> Run:
    return observe(file_text([("A", "AAAA", 5, 1)]), Partition(WEEK - number * WEEK_LENGTH, "OTCE"))


def lay(client: "redis.Redis", forged: list[Forged]) -> None:
    with client.pipeline() as pipeline:
        for queue, name, body in forged:
            pipeline.hset(f"otcpipe:{queue}.msgs", name, body)
            pipeline.rpush(f"otcpipe:{queue}", name)
        pipeline.execute()


def is_empty(client: "redis.Redis") -> bool:
    """Return whether Redis holds no message, live or dead, and no failure."""
    rest = ("otcpipe:moved:", "otcpipe:consumer:", "otcpipe:__heartbeats__", "otcpipe:finra:")
    return all(key.decode().startswith(rest) for key in client.scan_iter("otcpipe:*"))


@pytest.mark.parametrize("stage", definition.PIPELINE, ids=lambda stage: stage.name)
def test_a_message_with_anything_wrong_in_it_is_invalid(stage: definition.Stage, environment: dict[str, str]) -> None:
    actors = {one.actor for one in definition.PIPELINE}
    for queue, name, body in kinds(template(stage)):
        if messages.peek(body)[0] in {None, *actors}:
            with pytest.raises(Invalid) as raised:
                messages.admit(body, queue, name)
            assert str(raised.value).isprintable() and len(str(raised.value)) < 300


@pytest.mark.parametrize("stage", definition.PIPELINE, ids=lambda stage: stage.name)
def test_a_good_message_is_admitted_and_asks_for_its_run(
    stage: definition.Stage, environment: dict[str, str]
) -> None:
    run = template(stage)
    message = messages.message_of(run).copy(options={"redis_message_id": "one"})
    assert messages.run_of(messages.admit(message.encode(), stage.name, b"one")) == run


def test_each_kind_of_forged_message_dies_alone_among_good_ones(
    workers: Workers, client: "redis.Redis", here: Command, sql: Sql
) -> None:
    forged = [one for stage in definition.PIPELINE for one in kinds(template(stage))]
    _all_good_is_done_and_all_bad_is_dead(forged, Random(1), 6, workers, client, sql)
    assert here("dlq", "list").returncode == 0
    assert here("dlq", "list", "--json").returncode == 0
    ((longest,),) = sql("select max(length(message)) from otc.letter")
    assert longest == messages.MAX_BYTES + 1
    for (letter_id,) in sql("select distinct on (left(reason, 30)) letter_id from otc.letter"):
        assert here("dlq", "show", letter_id).returncode == 0
        assert here("dlq", "replay", letter_id, "--dry-run").returncode in (0, 1)
    (unread,) = sql("select letter_id from otc.letter where reason like '%%cannot be decoded%%' limit 1")
    replayed = here("dlq", "replay", *unread)
    assert (replayed.returncode, "cannot be replayed" in replayed.stdout) == (1, True)
    assert sql("select distinct state from otc.letter") == [("open",)]


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("seed", range(3))
def test_thousands_of_damaged_messages_die_alone_among_good_ones(
    seed: int, workers: Workers, client: "redis.Redis", sql: Sql
) -> None:
    random = Random(seed)
    forged = [damaged(template(random.choice(definition.PIPELINE)), random) for _ in range(7_000)]
    _all_good_is_done_and_all_bad_is_dead(forged, random, 30, workers, client, sql)


def _all_good_is_done_and_all_bad_is_dead(
    forged: list[Forged], random: Random, number: int, workers: Workers, client: "redis.Redis", sql: Sql
) -> None:
    random.shuffle(forged)
    parts = [forged[at::number] for at in range(number)]
    for at, part in enumerate(parts):
        lay(client, part)
        broker.send(good(at))
    workers()
    wait(lambda: sql(DONE) == [(number,)], 60 + len(forged) / 20)
    wait(lambda: sql(LETTERS) == [(len(forged),)], 60 + len(forged) / 20)
    assert sql("select count(*), count(distinct key) from otc.stage_run where stage = 'cache'") == [(number, number)]
    wait(lambda: is_empty(client))
    context = CheckContext(resources.settings())
    assert work_checks.queues(context)[0] == "ok"
    broker.send(good(number))
    wait(lambda: sql(DONE) == [(number + 1,)])


def test_keys_of_a_wrong_type_are_set_aside_and_the_work_goes_on(
    workers: Workers, client: "redis.Redis", sql: Sql, here: Command
) -> None:
    workers()
    context = CheckContext(resources.settings())
    wait(lambda: work_checks.queues(context)[0] == "ok")
    wait(lambda: is_empty(client))
    for stage in definition.PIPELINE:
        for end in ("", ".msgs", ".DQ", ".DQ.msgs", ".XQ", ".XQ.msgs"):
            client.set(f"otcpipe:{stage.name}{end}", "a neighbour's")
    client.set("otcpipe:causes", "a neighbour's")
    client.set("otcpipe:__heartbeats__", "a neighbour's")
    verdict, finding, _ = work_checks.queues(context)
    wait(lambda: work_checks.queues(context)[0] == "ok")
    broker.send(good(0))
    wait(lambda: sql(DONE) == [(1,)])
    assert client.get(next(client.scan_iter("otcpipe:set-aside:*:otcpipe:parse"))) == b"a neighbour's"
    assert verdict == "ok" or "instead of" in finding


def test_the_command_line_sets_keys_of_a_wrong_type_aside_too(
    client: "redis.Redis", here: Command, workers: Workers, sql: Sql
) -> None:
    for key in ("otcpipe:cache", "otcpipe:cache.XQ.msgs", "otcpipe:__heartbeats__", "otcpipe:__acks__.nobody.cache"):
        client.set(key, "a neighbour's")
    verdict, finding, _ = work_checks.queues(CheckContext(resources.settings()))
    assert (verdict, "otcpipe:cache is a string instead of a list" in finding) == ("fail", True)
    broker.send(good(0))
    assert here("reconcile").returncode == 0
    workers()
    wait(lambda: sql(DONE) == [(1,)])


@pytest.mark.parametrize(
    "slot", ["a neighbour's", "", "nan", "inf", "-1e300", "253402300800000000", "99999999999999999999"]
)
def test_a_foreign_value_in_the_key_of_the_next_slot_stops_no_request(
    slot: str, client: "redis.Redis", environment: dict[str, str]
) -> None:
    client.set("otcpipe:finra:next-slot", slot)
    client.rpush("otcpipe:finra:requests", "no number")
    started = time.monotonic()
    RateLimit(environment["OTCPIPE_REDIS_URL"], 18).wait_turn()
    assert time.monotonic() - started < 5
    assert (
        client.get("otcpipe:finra:requests"),
        queues.Queues(environment["OTCPIPE_REDIS_URL"]).requests().total,
    ) == (b"1", 1)
