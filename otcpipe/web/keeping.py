"""Answers that are kept while the stored data are the same."""

import gzip
import threading
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field

import anyio
from starlette.responses import Response

MOST_BYTES, MOST_OF_ONE = 64 << 20, 4 << 20
WORTH_COMPRESSING, LEVEL = 2000, 5  # bytes; of gzip
RESTS = 3  # times as long as renewing an answer took, none is renewed


@dataclass(frozen=True)
class Answer:
    """The body of an answer, compressed if that is worth it."""

    body: bytes
    media_type: str
    is_compressed: bool = False
    headers: Mapping[str, str] = field(default_factory=dict)

    def response(self, accepted: str, headers: Mapping[str, str]) -> Response:
        """Return it with more headers, in an encoding that is accepted."""
        encoding = {"Vary": "Accept-Encoding"} if self.is_compressed else {}
        body = self.body
        if self.is_compressed and "gzip" in accepted:
            encoding["Content-Encoding"] = "gzip"
        elif self.is_compressed:
            body = gzip.decompress(body)
        return Response(body, headers={**self.headers, **headers, **encoding}, media_type=self.media_type)


def answer(text: str | bytes, media_type: str, headers: Mapping[str, str] | None = None) -> Answer:
    """Return an answer; text is compressed if it is long."""
    if isinstance(text, str) and len(text) >= WORTH_COMPRESSING:
        return Answer(
            gzip.compress(text.encode(), LEVEL, mtime=0), media_type, is_compressed=True, headers=headers or {}
        )
    return Answer(text.encode() if isinstance(text, str) else text, media_type, headers=headers or {})


class Kept:
    """The answers that were asked for last, by their ETag."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._answers: OrderedDict[str, Answer] = OrderedDict()
        self._bytes = 0
        self._pending: dict[str, anyio.Event] = {}
        self._is_renewing, self._rested_at = False, 0.0

    async def get_or_renew(
        self, mark: str, earlier: Iterable[str], make: Callable[[], Awaitable[Answer]]
    ) -> tuple[str, Answer]:
        """Return the kept answer, else make it; or one of those earlier, if another is being renewed. With its mark.

        One is renewed at a time, and three times as long none is afterwards: however many ask while the data change,
        renewing takes a quarter of a processor.
        """
        before = None if self.get(mark) else self._first(earlier)
        if before is None:
            return mark, await self.get_or_make(mark, make)
        begun = time.monotonic()
        if self._is_renewing or begun < self._rested_at:
            return before
        self._is_renewing = True
        try:
            return mark, await self.get_or_make(mark, make)
        finally:
            ended = time.monotonic()
            self._is_renewing, self._rested_at = False, ended + RESTS * (ended - begun)

    async def get_or_make(self, mark: str, make: Callable[[], Awaitable[Answer]]) -> Answer:
        """Return the kept answer, else make it; who asks the same meanwhile waits for it."""
        while (found := self.get(mark)) is None and (pending := self._pending.get(mark)):
            await pending.wait()  # it is made again if it failed, or is too large to be kept
        if found is not None:
            return found
        done = self._pending[mark] = anyio.Event()
        try:
            made = await make()
            self.put(mark, made)
        finally:
            del self._pending[mark]
            done.set()
        return made

    def get(self, mark: str) -> Answer | None:
        """Return an answer, None if it is not kept."""
        with self._lock:
            if mark in self._answers:
                self._answers.move_to_end(mark)
            return self._answers.get(mark)

    def _first(self, marks: Iterable[str]) -> tuple[str, Answer] | None:
        """Return the first of them that is kept; not the first page of several, since the next would be of now."""
        found = ((mark, self.get(mark)) for mark in marks)
        return next(((mark, one) for mark, one in found if one and "Link" not in one.headers), None)

    def put(self, mark: str, made: Answer) -> None:
        """Keep an answer that is not too large; those that were not asked for the longest time go."""
        with self._lock:
            if len(made.body) > MOST_OF_ONE or mark in self._answers:
                return
            self._answers[mark] = made
            self._bytes += len(made.body)
            while self._bytes > MOST_BYTES:
                self._bytes -= len(self._answers.popitem(last=False)[1].body)
