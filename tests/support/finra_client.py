"""A small partition, and a client with short waits that reads it."""

from datetime import date
from functools import partial

from otcpipe.datasets import WEEKLY
from otcpipe.finra.client import Finra
from otcpipe.records import CompletePartition, Partition
from otcpipe.settings import Settings
from otcpipe.stages import paging
from tests.finra_server import FinraServer, generate

T1 = Partition(date(2026, 3, 6), "T1")
KEY = (T1.week_start, "T1")
LINES = generate(T1.week_start, "T1", 40, seed=3)


def client(server: FinraServer, **values: str) -> Finra:
    settings = {"FINRA_URL": server.url, "FINRA_TOKEN_URL": server.token_url} | values
    return Finra(Settings(settings), lambda: None, timeout=(0.5, 0.5), pause=0.01)


def read(server: FinraServer, **values: str) -> CompletePartition | None:
    return paging.read_partition(T1, partial(client(server, **values).page, T1))


def rows_of(whole: CompletePartition | None) -> list[str]:
    """The rows of literal text, sorted."""
    assert whole
    header, *rows = whole.content.decode().splitlines()
    assert header.split("|")[:17] == list(WEEKLY.api_fields)
    return sorted(rows)


def held(server: FinraServer) -> list[str]:
    return sorted(server.dataset.partition(KEY).lines)
