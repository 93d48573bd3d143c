"""Proxies that demand TLS, as managed servers do: the servers of the wheels are built without it."""

import asyncio
import ssl
from pathlib import Path

import trustme

from tests.chaos.proxy import Wire

SSL_REQUEST = (8).to_bytes(4) + (80877103).to_bytes(4)  # of PostgreSQL's protocol: may the client speak TLS?
CANCEL_REQUEST = (16).to_bytes(4)


class Authority:
    """A private authority; `file` has its certificate."""

    def __init__(self, folder: Path) -> None:
        authority = trustme.CA()
        self.file = folder / "ca.pem"
        authority.cert_pem.write_to_path(self.file)
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("localhost", "127.0.0.1").configure_cert(self.context)


class TlsWire(Wire):
    """A proxy whose clients begin with TLS, as those of Redis do."""

    def __init__(self, target: int, context: ssl.SSLContext) -> None:
        super().__init__(target)
        self.context = context

    async def _listen(self) -> int:
        self._server = await asyncio.start_server(self._connect, "127.0.0.1", 0, ssl=self.context)
        port: int = self._server.sockets[0].getsockname()[1]
        return port


class PostgresTlsWire(Wire):
    """A proxy whose clients ask for TLS first, as those of PostgreSQL do; others are cut off."""

    def __init__(self, target: int, context: ssl.SSLContext) -> None:
        super().__init__(target)
        self.context = context

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            if await reader.readexactly(len(SSL_REQUEST)) != SSL_REQUEST:
                writer.transport.abort()
                return
            writer.write(b"S")
            await writer.start_tls(self.context)
        except (asyncio.IncompleteReadError, OSError):
            writer.transport.abort()
            return
        await super()._connect(reader, writer)
