"""Whether credentials are requested depends on who refuses: FINRA or the network in front of it."""

import time
from collections.abc import Iterator

import pytest

from otcpipe.errors import Defective, OtcpipeError, Permanent
from otcpipe.finra.client import Finra
from otcpipe.settings import Settings
from tests.finra_server import ALWAYS, Dataset, Fault, FinraServer, Kind, Tokens
from tests.support.finra_client import KEY, LINES, T1, client, held, read, rows_of

GIVEN = {"FINRA_CLIENT_ID": "us", "FINRA_CLIENT_SECRET": "very secret"}


@pytest.fixture
def server() -> Iterator[FinraServer]:
    with FinraServer(Dataset({KEY: LINES})) as running:
        yield running


@pytest.fixture
def guarded(server: FinraServer) -> Iterator[FinraServer]:
    with FinraServer(server.dataset, tokens=Tokens("us", "very secret"), required=True) as running:
        yield running


@pytest.mark.parametrize("status", [302, 307, 400, 401, 403, 404, 408, 451, 500, 503])
@pytest.mark.parametrize("credentials", [{}, GIVEN], ids=["anonymous", "credentials"])
def test_a_page_of_html_passes_whatever_its_status(
    guarded: FinraServer, server: FinraServer, status: int, credentials: dict[str, str]
) -> None:
    asked = guarded if credentials else server
    asked.faults.add(Fault(Kind.STATUS, at=1, times=2, status=status, retry_after="0"))
    assert rows_of(read(asked, **credentials)) == held(server)


def test_html_that_stays_is_a_fault_that_may_pass_and_names_its_status(server: FinraServer) -> None:
    server.faults.add(Fault(Kind.STATUS, status=403, times=ALWAYS, retry_after="0"))
    with pytest.raises(Defective, match="in front of FINRA answered with status 403") as caught:
        read(server)
    assert "CLIENT_ID" not in str(caught.value)
    assert len(server.requests) == 6


def test_a_block_is_waited_for_as_long_as_it_says(server: FinraServer) -> None:
    server.faults.add(Fault(Kind.STATUS, status=403, retry_after="1"))
    start = time.monotonic()
    assert rows_of(read(server)) == held(server)
    assert time.monotonic() - start >= 1


@pytest.mark.parametrize("pause", ["3600", "9" * 400])
def test_a_long_pause_is_left_to_the_stage(server: FinraServer, pause: str) -> None:
    server.faults.add(Fault(Kind.STATUS, status=403, times=ALWAYS, retry_after=pause))
    with pytest.raises(Defective) as caught:
        read(server)
    assert caught.value.retry_after == min(float(pause), 86_400)
    assert len(server.requests) == 1


@pytest.mark.parametrize("pause", ["\xb2", "-1", "soon", "Mon, 99 Jan 2026", "Mon, 01 Jan 0001 00:00:00 GMT"])
def test_a_pause_that_makes_no_sense_is_no_pause(server: FinraServer, pause: str) -> None:
    server.faults.add(Fault(Kind.STATUS, status=403, retry_after=pause))
    assert rows_of(read(server)) == held(server)


@pytest.mark.parametrize("status", [401, 403])
def test_finras_own_refusal_asks_for_credentials(server: FinraServer, status: int) -> None:
    server.faults.add(Fault(Kind.ERROR, status=status, times=ALWAYS))
    with pytest.raises(Permanent, match="asks for credentials: set OTCPIPE_FINRA_CLIENT_ID"):
        read(server)
    assert len(server.requests) == 1


def test_finras_own_refusal_of_a_client_says_so(server: FinraServer) -> None:
    tokens = Tokens("us", "very secret")
    with FinraServer(server.dataset, tokens=tokens, required=True, forbidden=True) as forbidding:
        with pytest.raises(Permanent, match="ask FINRA to entitle") as caught:
            read(forbidding, **GIVEN)
        assert "asks for credentials" not in str(caught.value)
        assert "very secret" not in str(caught.value)


def test_tokens_that_are_never_accepted_are_not_requested_for_ever(guarded: FinraServer) -> None:
    guarded.faults.add(Fault(Kind.ERROR, status=401, times=ALWAYS))
    with pytest.raises(Permanent, match="ask FINRA to entitle"):
        read(guarded, **GIVEN)
    assert guarded.tokens.issued <= 3


def test_credentials_are_used_and_renewed_and_never_shown(guarded: FinraServer, server: FinraServer) -> None:
    asked = client(guarded, **GIVEN)
    for _ in range(5):
        assert asked.page(T1, 0, 5).total == len(LINES)
        guarded.tokens.expire()
    assert rows_of(read(guarded, **GIVEN)) == held(server)
    with pytest.raises(Permanent, match="refuses OTCPIPE_FINRA_CLIENT_ID") as caught:
        read(guarded, **GIVEN | {"FINRA_CLIENT_SECRET": "hunter2"})
    assert "hunter2" not in str(caught.value)
    with pytest.raises(Permanent, match="asks for credentials"):
        read(guarded)


@pytest.mark.parametrize("status", [302, 400, 403, 503])
def test_a_page_of_html_instead_of_a_token_passes(guarded: FinraServer, server: FinraServer, status: int) -> None:
    guarded.faults.add(Fault(Kind.STATUS, on="oauth2", status=status))
    assert rows_of(read(guarded, **GIVEN)) == held(server)


def test_credentials_go_over_https_or_not_at_all() -> None:
    settings = {"FINRA_URL": "http://api.example", "FINRA_CLIENT_ID": "a", "FINRA_CLIENT_SECRET": "b"}
    with pytest.raises(OtcpipeError, match="OTCPIPE_FINRA_URL must be https"):
        Finra(Settings(settings), lambda: None).page(T1, 0, 5000)
