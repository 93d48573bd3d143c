"""Homes, and one stack that is shared by the tests that do not change it."""

import io
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

import minio
import psycopg
import pytest
import redis
import urllib3

from otcpipe.stack import Supervisor, start_servers


def postgres_answers(environment: Mapping[str, str]) -> bool:
    try:
        with psycopg.connect(environment["OTCPIPE_DATABASE_URL"], connect_timeout=2):
            return True
    except psycopg.OperationalError:
        return False


def valkey_answers(environment: Mapping[str, str]) -> bool:
    try:
        with redis.Redis.from_url(environment["OTCPIPE_REDIS_URL"], socket_timeout=1) as client:
            return bool(client.ping())
    except redis.RedisError:
        return False


def s3(environment: Mapping[str, str], **changed: str) -> minio.Minio:
    """A client; a changed key that is empty is none at all."""
    environment = {**environment, **changed}
    return minio.Minio(
        endpoint=environment["OTCPIPE_S3_ENDPOINT"].removeprefix("http://"),
        secure=False,
        region=environment["OTCPIPE_S3_REGION"],
        http_client=urllib3.PoolManager(timeout=3, retries=False),
        access_key=environment["OTCPIPE_S3_ACCESS_KEY"] or None,
        secret_key=environment["OTCPIPE_S3_SECRET_KEY"] or None,
    )


def seaweed_answers(environment: Mapping[str, str]) -> bool:
    try:
        return s3(environment).bucket_exists(bucket_name=environment["OTCPIPE_S3_BUCKET"])
    except (urllib3.exceptions.HTTPError, minio.error.MinioException):
        return False


READY = {"postgres": postgres_answers, "valkey": valkey_answers, "seaweedfs": seaweed_answers}


def store_everywhere(environment: Mapping[str, str]) -> None:
    with psycopg.connect(environment["OTCPIPE_DATABASE_URL"]) as connection:
        connection.execute("create table kept (word text)")
        connection.execute("insert into kept values ('row')")
    with redis.Redis.from_url(environment["OTCPIPE_REDIS_URL"]) as client:
        client.set("kept", "message")
    bucket = environment["OTCPIPE_S3_BUCKET"]
    s3(environment).put_object(bucket_name=bucket, object_name="kept", data=io.BytesIO(b"object"), length=6)


def stored_everywhere(environment: Mapping[str, str]) -> tuple[object, object, object]:
    with psycopg.connect(environment["OTCPIPE_DATABASE_URL"]) as connection:
        row = connection.execute("select word from kept").fetchone()
    with redis.Redis.from_url(environment["OTCPIPE_REDIS_URL"]) as client:
        message = client.get("kept")
    with s3(environment).get_object(bucket_name=environment["OTCPIPE_S3_BUCKET"], object_name="kept") as response:
        return row, message, response.read()


KEPT = (("row",), b"message", b"object")


def inside(home: Path) -> list[int]:
    """The processes that run inside a home: every server does."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            where = (process / "cwd").readlink()
        except OSError:
            continue
        if where.is_relative_to(home):
            found.append(int(process.name))
    return found


@pytest.fixture(scope="package")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Supervisor]:
    home = tmp_path_factory.mktemp("shared") / "home"
    supervisor = start_servers(home, durable=False, environ=os.environ, ready=READY)
    yield supervisor
    supervisor.stop(quick=True)


@pytest.fixture(scope="package")
def home(stack: Supervisor) -> Path:
    """The home of the shared stack."""
    return Path(f"/proc/{stack.pid('valkey')}/cwd").readlink().parent
