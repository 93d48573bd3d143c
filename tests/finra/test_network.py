"""Requests to FINRA through a proxy that wants a password, and over TLS by an authority of the company's own."""

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from otcpipe import settings
from otcpipe.errors import Defective, Invalid
from otcpipe.finra.client import Finra
from otcpipe.monitoring.context import CheckContext
from otcpipe.monitoring.finra_check import finra
from tests.finra_server import Dataset, FinraServer, Tokens
from tests.finra_server.service import TOKEN_PATH
from tests.support import network
from tests.support.finra_client import KEY, LINES, T1

AWAY = {"OTCPIPE_HOME": "/nowhere"}


@pytest.fixture
def server() -> Iterator[FinraServer]:
    with FinraServer(Dataset({KEY: LINES})) as running:
        yield running


def client(url: str, **values: str) -> Finra:
    variables = AWAY | {f"OTCPIPE_{name}": text for name, text in ({"FINRA_URL": url} | values).items()}
    return Finra(settings.load(variables), lambda: None, timeout=(5, 20), attempts=1)


@pytest.fixture
def guarded() -> Iterator[FinraServer]:
    with FinraServer(Dataset({KEY: LINES}), tokens=Tokens("us", "very secret")) as running:
        yield running


def port_of(server: FinraServer) -> int:
    return urlsplit(server.url).port or 0


def test_every_request_goes_through_the_proxy_and_trusts_the_bundle(guarded: FinraServer, tmp_path: Path) -> None:
    with network.tls(tmp_path, port_of(guarded)) as (port, bundle), network.proxy() as (proxy, seen):
        url = f"https://127.0.0.1:{port}"
        secure = {"FINRA_PROXY": f"http://{network.PROXY_USER}@127.0.0.1:{proxy}", "CA_BUNDLE": str(bundle)}
        names = {"FINRA_CLIENT_ID": "us", "FINRA_CLIENT_SECRET": "very secret", "FINRA_TOKEN_URL": url + TOKEN_PATH}
        found = client(url, **secure)
        assert found.partitions() == {T1}
        assert found.page(T1, 0, 10).total == len(LINES)
        assert set(seen) == {f"CONNECT 127.0.0.1:{port}"}, "the data are asked for through the tunnel only"
        before = len(seen)
        assert client(url, **secure, **names).partitions() == {T1}, "with a token, which is asked for that way too"
        assert len(seen) > before
        assert client(guarded.url, **secure).partitions() == {T1}
        assert seen[-1].startswith(f"GET {guarded.url}/partitions/"), "plain HTTP goes through it too"


def test_without_the_bundle_the_certificate_is_refused_by_one_sentence(server: FinraServer, tmp_path: Path) -> None:
    with network.tls(tmp_path, port_of(server)) as (port, _), pytest.raises(Defective) as error:
        client(f"https://127.0.0.1:{port}").partitions()
    assert f"certificate of 127.0.0.1:{port} is not trusted: OTCPIPE_CA_BUNDLE" in str(error.value)
    assert server.requests == []


@pytest.mark.parametrize(
    ("user", "words"), [("clerk:wr0ng", "refuses its user or password"), ("", "refuses its user")]
)
def test_a_proxy_that_refuses_is_named_without_its_password(server: FinraServer, user: str, words: str) -> None:
    with network.proxy() as (port, _):
        url = f"http://{user}@127.0.0.1:{port}" if user else f"http://127.0.0.1:{port}"
        with pytest.raises(Defective) as error:
            client("https://127.0.0.1:9", FINRA_PROXY=url).partitions()
    assert f"OTCPIPE_FINRA_PROXY at 127.0.0.1:{port} {words}" in str(error.value)
    assert "wr0ng" not in f"{error.value!r} {error.value.__cause__!r}"


def test_a_proxy_that_is_down_is_named_without_its_password() -> None:
    with pytest.raises(Defective) as error:
        client("http://127.0.0.1:9", FINRA_PROXY="http://clerk:s3cret@127.0.0.1:9").partitions()
    assert "OTCPIPE_FINRA_PROXY at 127.0.0.1:9 does not connect" in str(error.value)
    assert "s3cret" not in str(error.value)
    assert {"s3cret"} <= settings.load(AWAY | {"OTCPIPE_FINRA_PROXY": "http://clerk:s3cret@p"}).secrets()


def test_a_bundle_that_is_none_is_a_wrong_setting(tmp_path: Path) -> None:
    damaged = tmp_path / "damaged.pem"
    damaged.write_text("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    for path in (tmp_path / "none", tmp_path, damaged):
        with pytest.raises(Invalid, match="^OTCPIPE_CA_BUNDLE must be the path of a file of certificates in PEM"):
            client("https://127.0.0.1:9", CA_BUNDLE=str(path))


def test_the_doctor_asks_finra_once_within_the_rate_limit(environment: dict[str, str], server: FinraServer) -> None:
    found = settings.load(environment | {"OTCPIPE_FINRA_URL": server.url, "OTCPIPE_TIERS": "T1"})
    verdict, finding, _ = finra(CheckContext(found))
    assert (verdict, f"T1 {T1.week_ending}" in finding, len(server.requests)) == ("ok", True, 1)
    assert "without credentials" in finding
    context = CheckContext(found)
    assert context.queues.requests().total >= 1, "it took a turn"
    absent = finra(CheckContext(settings.load(environment)))
    assert (absent[0], "127.0.0.1:9 does not answer" in absent[1]) == ("warn", True)


def test_the_doctor_says_that_finra_refuses_the_credentials(environment: dict[str, str]) -> None:
    with FinraServer(Dataset({KEY: LINES}), tokens=Tokens("us", "very secret"), required=True) as running:
        more = {"OTCPIPE_FINRA_URL": running.url, "OTCPIPE_FINRA_TOKEN_URL": running.token_url}
        wrong = {"OTCPIPE_FINRA_CLIENT_ID": "wr0ng", "OTCPIPE_FINRA_CLIENT_SECRET": "s3cret"}
        verdict, finding, _ = finra(CheckContext(settings.load(environment | more | wrong)))
        assert (verdict, "OTCPIPE_FINRA_CLIENT_ID" in finding, "s3cret" in finding) == ("fail", True, False)
        assert finra(CheckContext(settings.load(environment | more)))[0] == "fail"
