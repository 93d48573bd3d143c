"""Connections whose reads together obey the limit in force, however slowly bytes arrive."""

import http.client
import io
import socket
from typing import Any

import requests
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection

from otcpipe.finra.limits import LIMIT

SLICE_SECONDS = 0.25  # after which a reader notices that it was cancelled
MIN_TIMEOUT = 0.001  # seconds; 0 would make the socket non-blocking


class _LimitedReader(io.RawIOBase):
    """Reads a socket, waiting in short slices."""

    def __init__(self, connection: socket.socket, raw: io.RawIOBase) -> None:
        self._connection = connection
        self._raw = raw  # keeps the socket open until everything is read

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        """Raise TimeoutError past the limit's deadline, TooLarge past its bytes."""
        limit = LIMIT.get()
        while left := limit.seconds:
            self._connection.settimeout(max(MIN_TIMEOUT, min(SLICE_SECONDS, left)))
            try:
                count = self._connection.recv_into(buffer)
            except TimeoutError:
                continue
            limit.spend(count)
            return count
        raise TimeoutError("the answer was not complete in time")

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Response(http.client.HTTPResponse):
    def __init__(self, sock: socket.socket, *args: Any, **options: Any) -> None:
        super().__init__(sock, *args, **options)
        buffered: Any = self.fp
        self.fp = io.BufferedReader(_LimitedReader(sock, buffered.detach()))


class _Connection(HTTPConnection):
    response_class = _Response


class _SecureConnection(HTTPSConnection):
    response_class = _Response


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _SecurePool(HTTPSConnectionPool):
    ConnectionCls = _SecureConnection


POOLS = {"http": _Pool, "https": _SecurePool}


class Adapter(requests.adapters.HTTPAdapter):
    """An adapter for a requests session, whose connections obey the limit in force."""

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        super().init_poolmanager(*args, **options)
        self.poolmanager.pool_classes_by_scheme = POOLS

    def proxy_manager_for(self, proxy: Any, **options: Any) -> Any:
        manager = super().proxy_manager_for(proxy, **options)
        manager.pool_classes_by_scheme = POOLS
        return manager
