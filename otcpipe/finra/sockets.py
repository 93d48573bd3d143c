"""Connections whose reads obey the limit in force as a whole, however slowly the bytes come."""

import http.client
import io
import socket
from typing import Any

import requests
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection

from otcpipe.finra.limits import LIMIT

SLICE = 0.25  # seconds: how soon a reader notices that it was cancelled
SHORTEST = 0.001  # a time-out of 0 would mean a socket that never waits


class _Reads(io.RawIOBase):
    """A socket's bytes, waited for in slices."""

    def __init__(self, connection: socket.socket, raw: io.RawIOBase) -> None:
        self._connection = connection
        self._raw = raw  # it keeps the socket open until all is read

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        """Raises TimeoutError past the limit's time, TooLarge past its bytes."""
        limit = LIMIT.get()
        while left := limit.seconds:
            self._connection.settimeout(max(SHORTEST, min(SLICE, left)))
            try:
                count = self._connection.recv_into(buffer)
            except TimeoutError:
                continue
            limit.spend(count)
            return count
        raise TimeoutError("the whole answer did not come in time")

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Response(http.client.HTTPResponse):
    def __init__(self, sock: socket.socket, *args: Any, **options: Any) -> None:
        super().__init__(sock, *args, **options)
        whole: Any = self.fp
        self.fp = io.BufferedReader(_Reads(sock, whole.detach()))


class _Connection(HTTPConnection):
    response_class = _Response


class _SecureConnection(HTTPSConnection):
    response_class = _Response


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _SecurePool(HTTPSConnectionPool):
    ConnectionCls = _SecureConnection


class Adapter(requests.adapters.HTTPAdapter):
    """An adapter for a requests session."""

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        super().init_poolmanager(*args, **options)
        self.poolmanager.pool_classes_by_scheme = {"http": _Pool, "https": _SecurePool}
