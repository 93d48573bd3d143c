"""The kernel knows whose connection it is, by either way of asking; of others it knows nothing."""

import os
import socket
from collections.abc import Callable, Iterator

import pytest

from otcpipe.web import peers
from otcpipe.web.peers import Address, Peer

WAYS = [peers._asked, peers._listed]
Ends = tuple[Address, Address]


@pytest.fixture(params=[(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")], ids=["IPv4", "IPv6"])
def ends(request: pytest.FixtureRequest) -> Iterator[Ends]:
    family, host = request.param
    with socket.create_server((host, 0), family=family) as listener:
        place = listener.getsockname()[:2]
        with socket.create_connection(place) as client, listener.accept()[0]:
            yield client.getsockname()[:2], place


@pytest.mark.parametrize("way", WAYS)
def test_a_connection_is_its_users(way: Callable[[Address, Address], Peer | None], ends: Ends) -> None:
    assert way(*ends) == (peers.ESTABLISHED, os.geteuid())
    assert peers.user_of(*ends) == os.geteuid()


@pytest.mark.parametrize("way", WAYS)
def test_a_connection_that_does_not_exist_is_nobodys(
    way: Callable[[Address, Address], Peer | None], ends: Ends
) -> None:
    (host, _), server = ends
    assert way((host, 1), server) is None
    assert peers.user_of((host, 1), server) is None


def test_a_connection_that_its_client_ended_is_unknown(ends: Ends) -> None:
    host = ends[1][0]
    with socket.create_server((host, 0), family=peers._family(ends[1])) as listener:
        server = listener.getsockname()[:2]
        client = socket.create_connection(server)
        with client, listener.accept()[0]:
            client.shutdown(socket.SHUT_WR)
            assert peers.user_of(client.getsockname()[:2], server) is None
