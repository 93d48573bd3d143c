import concurrent.futures
import io

import pytest
from minio import Minio

from otcpipe import resources
from otcpipe.errors import Damaged, Unreachable
from otcpipe.settings import Settings
from otcpipe.storage.keys import sha256
from otcpipe.storage.s3 import ObjectStore


@pytest.fixture
def store(environment: dict[str, str]) -> ObjectStore:
    return resources.store()


@pytest.fixture
def key(environment: dict[str, str]) -> str:
    return f"{environment['OTCPIPE_S3_PREFIX']}/some/key"


def client_of(environment: dict[str, str]) -> Minio:
    return Minio(
        endpoint=environment["OTCPIPE_S3_ENDPOINT"].removeprefix("http://"),
        access_key=environment["OTCPIPE_S3_ACCESS_KEY"],
        secret_key=environment["OTCPIPE_S3_SECRET_KEY"],
        secure=False,
        region="us-east-1",
    )


def test_what_was_put_is_got(store: ObjectStore, key: str) -> None:
    assert store.put_once(key, b"bytes")
    assert store.get(key) == b"bytes"


def test_a_key_is_written_once_and_for_ever(store: ObjectStore, key: str) -> None:
    assert store.put_once(key, b"first")
    assert not store.put_once(key, b"second")
    assert store.get(key) == b"first"


def test_of_many_writers_just_one_wins(store: ObjectStore, key: str) -> None:
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        won = list(pool.map(lambda number: store.put_once(key, b"%d" % number), range(8)))
    assert won.count(True) == 1
    assert store.get(key) == b"%d" % won.index(True)


def test_bytes_are_swapped_only_for_those_that_were_read(store: ObjectStore, key: str) -> None:
    assert not store.swap(key, b"new", b"old"), "there is none"
    assert store.swap(key, b"old", None)
    assert not store.swap(key, b"new", None)
    assert not store.swap(key, b"new", b"other")
    assert store.get(key) == b"old"
    assert store.swap(key, b"new", b"old")
    assert store.swap(key, b"new", b"old"), "its answer was lost, and it is sent again"
    assert store.get(key) == b"new"


def test_of_many_swaps_at_once_none_is_lost(store: ObjectStore, key: str) -> None:
    """Each thread adds its own lines, one after the other, to what is there."""
    store.put_once(key, b"")

    def add(thread: int) -> None:
        for line in range(4):
            while True:
                old = store.get(key)
                if store.swap(key, old + b"%d %d\n" % (thread, line), old):
                    break

    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        list(pool.map(add, range(6)))
    lines = store.get(key).decode().split("\n")[:-1]
    assert sorted(lines) == sorted(f"{thread} {line}" for thread in range(6) for line in range(4))


def test_a_writer_that_was_paused_swaps_nothing_newer(
    store: ObjectStore, key: str, environment: dict[str, str]
) -> None:
    """It has compared already when another one replaces the object."""

    class Paused(ObjectStore):
        def _put_if(self, key: str, content: bytes, condition: str, value: str) -> bool:
            store.replace(key, b"newer")
            return super()._put_if(key, content, condition, value)

    store.put_once(key, b"old")
    assert not Paused(resources.settings()).swap(key, b"new", b"old")
    assert store.get(key) == b"newer"


def test_a_missing_object_is_damaged_and_named(store: ObjectStore, key: str) -> None:
    with pytest.raises(Damaged, match=key):
        store.get(key)


def test_one_flipped_byte_is_noticed(store: ObjectStore, key: str, environment: dict[str, str]) -> None:
    store.put_once(key, b"bytes")
    digest = sha256(b"bytes")
    client_of(environment).put_object(
        bucket_name=store.bucket, object_name=key, data=io.BytesIO(b"bytez"), length=5, metadata={"sha256": digest}
    )
    with pytest.raises(Damaged, match="does not match its SHA-256"):
        store.get(key)


def test_nothing_is_made_for_a_key_that_exists(store: ObjectStore, key: str) -> None:
    assert store.make_once(key, lambda: b"made")
    assert not store.make_once(key, lambda: pytest.fail("made again"))


def test_keys_below_a_prefix_are_listed(store: ObjectStore, key: str) -> None:
    for number in range(3):
        store.put_once(f"{key}/{number}", b"")
    assert list(store.keys(key)) == [f"{key}/{number}" for number in range(3)]


def test_wrong_credentials_and_no_server_are_distinguished_from_missing_objects(
    environment: dict[str, str], key: str
) -> None:
    values = {name.removeprefix("OTCPIPE_"): text for name, text in environment.items()}
    for wrong in ({"S3_SECRET_KEY": "wrong"}, {"S3_ENDPOINT": "http://127.0.0.1:9"}):
        with pytest.raises(Unreachable, match="127.0.0.1") as caught:
            ObjectStore(Settings(values | wrong)).get(key)
        assert values["S3_SECRET_KEY"] not in str(caught.value)
