"""A proxy between a client and a local server that can cut or slow connections, or drop replies."""

import asyncio
import threading
from typing import Self

CHUNK = 65536


class Wire:
    """Forwards its own port to a server on 127.0.0.1; its faults can be changed while it runs."""

    def __init__(self, target: int) -> None:
        self.target = target
        self.port = 0
        self.delay = 0.0  # seconds before each piece of a reply
        self.swallows = False  # forward the request, drop the reply and close the connection
        self.ports = set[int]()  # of its connections to the server
        self._writers = set[asyncio.StreamWriter]()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        self.port = asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(5)
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(5)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def cut(self) -> None:
        """Close all connections at once."""
        self._loop.call_soon_threadsafe(self._cut)

    def heal(self) -> None:
        self.delay, self.swallows = 0.0, False

    def _cut(self) -> None:
        for writer in self._writers:
            writer.transport.abort()

    async def _listen(self) -> int:
        self._server = await asyncio.start_server(self._connect, "127.0.0.1", 0)
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def _close(self) -> None:
        self._server.close()
        while others := asyncio.all_tasks() - {asyncio.current_task()}:
            self._cut()  # each task ends with its connection
            await asyncio.wait(others, timeout=0.1)

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self.target)
        except OSError:
            writer.transport.abort()
            return
        ends, port = {writer, far_writer}, far_writer.get_extra_info("sockname")[1]
        self._writers |= ends
        self.ports.add(port)
        await asyncio.gather(self._pump(reader, far_writer), self._reply(far_reader, writer), return_exceptions=True)
        self._writers -= ends
        self.ports.discard(port)
        for end in ends:
            end.transport.abort()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while piece := await reader.read(CHUNK):
                writer.write(piece)
                await writer.drain()
            writer.write_eof()
        except OSError:
            writer.transport.abort()  # as the kernel does for the server when its client dies

    async def _reply(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while piece := await reader.read(CHUNK):
                await asyncio.sleep(self.delay)
                if self.swallows:
                    return
                writer.write(piece)
                await writer.drain()
        finally:
            writer.transport.abort()  # and for the client when its server dies
