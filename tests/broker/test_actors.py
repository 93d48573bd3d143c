"""The fail-closed broker on a real Redis."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from urllib.parse import urlsplit

import dramatiq
import pytest
import redis
from dramatiq.middleware import CurrentMessage, Middleware
from dramatiq.middleware.retries import Retries

from otcpipe.broker import actors, consumer
from otcpipe.broker.middleware.worker_tuning import WorkerTuning
from otcpipe.broker.patience import Patience
from otcpipe.broker.redis_broker import FailClosedBroker

QUEUE = "work"


class Flaky(Middleware):
    """Raises in its first after-hook, as a retry that cannot be enqueued does."""

    def __init__(self) -> None:
        self.failures = 1

    def after_process_message(self, *_: object, **__: object) -> None:
        if self.failures:
            self.failures -= 1
            raise redis.ConnectionError("gone")


@pytest.fixture
def client(environment: dict[str, str]) -> Iterator["redis.Redis"]:
    with redis.Redis.from_url(environment["OTCPIPE_REDIS_URL"], socket_timeout=10) as client:
        yield client


@pytest.fixture
def work(client: "redis.Redis", monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., FailClosedBroker]]:
    """Builds a broker with one actor, or one of each name, and a worker on it."""
    monkeypatch.setattr(consumer, "SWEEP_SECONDS", 0.2)
    workers: list[dramatiq.Worker] = []

    def start(
        function: Callable[[str], None], *more: Middleware, names: Sequence[str] = (QUEUE,), **options: object
    ) -> FailClosedBroker:
        middleware = [CurrentMessage(), WorkerTuning(Patience()), *more, Retries()]
        made = FailClosedBroker(client, middleware, timedelta(seconds=15))
        for name in names:
            dramatiq.actor(broker=made, actor_name=name, queue_name=name, **options)(function)  # type: ignore[call-overload]
        workers.append(dramatiq.Worker(made, worker_threads=2))
        workers[-1].start()
        return made

    yield start
    for worker in workers:
        worker.stop()


def enqueue(made: FailClosedBroker, word: str = "word") -> None:
    made.enqueue(made.get_actor("work").message(word))


def wait(condition: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the condition never held"
        time.sleep(0.02)


def test_a_message_whose_after_hook_fails_is_delivered_again(work: Callable[..., FailClosedBroker]) -> None:
    seen: list[str] = []
    made = work(seen.append, Flaky())
    enqueue(made)
    wait(lambda: len(seen) == 2)
    wait(lambda: made.do_qsize(QUEUE) == 0)


def test_an_id_whose_body_never_arrived_is_requeued(
    work: Callable[..., FailClosedBroker], client: "redis.Redis"
) -> None:
    seen: list[str] = []
    made = work(seen.append)
    message = made.get_actor("work").message("lost").copy(options={"redis_message_id": "lost-id"})
    with client.pipeline() as pipeline:  # as if Redis had answered a fetch and the answer had got lost
        pipeline.hset(f"otcpipe:{QUEUE}.msgs", "lost-id", message.encode())
        pipeline.sadd(f"otcpipe:__acks__.{made.broker_id}.{QUEUE}", "lost-id")
        pipeline.execute()
    wait(lambda: seen == ["lost"])
    wait(lambda: made.do_qsize(QUEUE) == 0)


def test_a_body_that_cannot_be_decoded_goes_to_the_dead_letters_and_blocks_no_other(
    work: Callable[..., FailClosedBroker], client: "redis.Redis"
) -> None:
    seen: list[str] = []
    made = work(seen.append)
    client.hset(f"otcpipe:{QUEUE}.msgs", "bad-id", b"{")
    client.rpush(f"otcpipe:{QUEUE}", "bad-id")
    enqueue(made)
    wait(lambda: seen == ["word"])
    wait(lambda: client.hgetall(f"otcpipe:{QUEUE}.XQ.msgs") == {b"bad-id": b"{"})


def test_a_message_that_is_in_hand_is_not_requeued(work: Callable[..., FailClosedBroker]) -> None:
    seen: list[str] = []
    go = threading.Event()

    def slow(word: str) -> None:
        seen.append(word)
        go.wait(5)

    made = work(slow)
    enqueue(made)
    time.sleep(1)  # five sweeps
    go.set()
    wait(lambda: made.do_qsize(QUEUE) == 0)
    assert seen == ["word"]


def test_a_worker_takes_nothing_from_empty_queues_and_finds_each_message(
    work: Callable[..., FailClosedBroker], client: "redis.Redis"
) -> None:
    def calls(command: str) -> int:
        return int(client.info("commandstats").get(f"cmdstat_{command}", {}).get("calls", 0))

    names = [f"queue-{number}" for number in range(6)]
    seen: list[str] = []
    made = work(seen.append, names=names)
    asked, taken = calls("exists"), calls("lpop")
    wait(lambda: calls("exists") > asked + 10 * len(names))
    assert calls("lpop") == taken
    for name in names:
        made.enqueue(made.get_actor(name).message(name))
        wait(lambda name=name: name in seen, seconds=5)  # type: ignore[misc]
    assert seen == names


def busy(work: Callable[..., FailClosedBroker], go: threading.Event) -> FailClosedBroker:
    """A worker both of whose threads have a message of one queue, and one more waits in another."""
    started: list[str] = []

    def slow(word: str) -> None:
        started.append(word)
        go.wait(20)

    made = work(slow)
    dramatiq.actor(broker=made, actor_name="other", queue_name="other")(slow)
    for word in ("one", "two"):
        enqueue(made, word)
    wait(lambda: len(started) == 2)
    made.enqueue(made.get_actor("other").message("three"))
    return made


def test_a_worker_that_is_busy_leaves_a_message_to_one_that_is_idle(
    work: Callable[..., FailClosedBroker], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consumer, "YIELD_SECONDS", 20)
    go, seen = threading.Event(), list[str]()
    first = busy(work, go)
    time.sleep(1)
    assert not first.in_hand["other"]
    work(seen.append, names=(QUEUE, "other"))
    wait(lambda: seen == ["three"])
    go.set()


def test_a_worker_that_stays_busy_takes_a_message_beforehand(work: Callable[..., FailClosedBroker]) -> None:
    """When all threads are busy, the latest stage is chosen among the messages at hand."""
    go = threading.Event()
    made = busy(work, go)
    wait(lambda: len(made.in_hand["other"]) == 1)
    go.set()
    wait(lambda: made.do_qsize("other") == 0)


def test_a_retry_and_a_new_message_survive_an_outage_of_redis(
    work: Callable[..., FailClosedBroker], client: "redis.Redis"
) -> None:
    seen: list[str] = []
    are_enqueued = threading.Event()  # or the outage could meet this thread in its own commands

    def fails_once(word: str) -> None:
        are_enqueued.wait(30)
        seen.append(word)
        if seen.count(word) == 1:
            client.client_kill_filter(_type="normal", skipme=False)
            raise OSError("down")

    made = work(fails_once, min_backoff=100)
    for word in ("one", "two", "three"):
        enqueue(made, word)
    are_enqueued.set()
    wait(lambda: min(seen.count(word) for word in ("one", "two", "three")) >= 2)
    wait(lambda: made.do_qsize(QUEUE) == 0)


def test_a_broker_without_a_server_says_so(environment: dict[str, str]) -> None:
    assert actors.is_up(environment)
    assert not actors.is_up({"OTCPIPE_REDIS_URL": "redis://127.0.0.1:9"})
    assert urlsplit(environment["OTCPIPE_REDIS_URL"]).hostname == "127.0.0.1"
