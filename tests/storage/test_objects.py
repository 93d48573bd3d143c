"""Objects of a week, which later content replaces."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Event
from typing import Any

import pytest

from otcpipe import resources
from otcpipe.errors import TooSoon
from otcpipe.records import Partition
from otcpipe.storage import keys, objects
from otcpipe.storage.keys import Key
from otcpipe.storage.postgres import Transaction
from tests.support.pipeline import WEEK

Sql = Callable[..., list[tuple[Any, ...]]]


@pytest.fixture
def key(environment: dict[str, str]) -> Key:
    return keys.of_partition(environment["OTCPIPE_S3_PREFIX"], Partition(WEEK, "T2")).of_week("parsed")


def put(key: Key, make: Callable[[Transaction], bytes]) -> bool:
    return objects.put_of_week(resources.store(), resources.database(), key, make)


def test_all_tiers_of_a_week_have_one_object(key: Key) -> None:
    of = [keys.of_partition(key.prefix, Partition(WEEK, tier)).of_week("parsed") for tier in ("T1", "OTCE")]
    assert of == [key, key] and key.partition.tier == "T1"
    assert keys.parse(str(key), key.prefix) == key
    assert keys.of_partition(key.prefix, Partition(WEEK + timedelta(days=7), "T1")).of_week("parsed") != key
    assert key.of_week("normalized") not in (key, key.of_week("rejected"))


def test_other_content_replaces_it_and_a_damaged_one_is_made_again(key: Key) -> None:
    store = resources.store()
    assert put(key, lambda _: b"old") and not put(key, lambda _: b"old")
    assert put(key, lambda _: b"new") and store.get(str(key)) == b"new"
    store._client._put_object(store.bucket, str(key), b"damaged")  # without its SHA-256
    assert put(key, lambda _: b"new") and store.get(str(key)) == b"new"


def test_of_two_at_once_the_second_reads_the_tables_when_the_first_is_done(key: Key, sql: Sql) -> None:
    sql("create table public.example as select 1 as number")
    is_reading, may_go_on = Event(), Event()

    def read(transaction: Transaction) -> bytes:
        return str(transaction.connection.execute("select number from public.example").fetchall()).encode()

    def read_slowly(transaction: Transaction) -> bytes:
        content = read(transaction)
        is_reading.set()
        assert may_go_on.wait(30)
        return content

    with ThreadPoolExecutor(2) as pool:
        slow = pool.submit(put, key, read_slowly)
        assert is_reading.wait(30)
        sql("update public.example set number = 2")
        quick = pool.submit(put, key, read)
        may_go_on.set()
        assert slow.result(30) and quick.result(30)
    assert b"2" in resources.store().get(str(key))


def test_a_run_that_was_paused_replaces_nothing_newer(key: Key) -> None:
    def overtaken(_: Transaction) -> bytes:
        resources.store().replace(
            str(key), b"newer"
        )  # by a run that has the lock since this one's connection was lost
        return b"older"

    with pytest.raises(TooSoon, match="Another run replaced"):
        put(key, overtaken)
    assert resources.store().get(str(key)) == b"newer"
