"""An answer is made once for all who ask for it at once, kept while there is room, and readable without gzip."""

import gzip

import anyio
import pytest

from otcpipe.web import keeping
from otcpipe.web.keeping import Answer, Kept, answer

LONG = "shares " * 1000


def test_who_asks_the_same_at_once_waits_for_the_one_answer() -> None:
    kept, calls, got = Kept(), list[int](), list[Answer]()

    async def make() -> Answer:
        calls.append(1)
        await anyio.sleep(0.01)
        return answer(LONG, "text/plain")

    async def ask() -> None:
        got.append(await kept.get_or_make("mark", make))

    async def all_at_once() -> None:
        async with anyio.create_task_group() as tasks:
            for _ in range(20):
                tasks.start_soon(ask)

    anyio.run(all_at_once)
    assert (len(calls), len(got), len({id(one) for one in got})) == (1, 20, 1)


def test_after_a_failure_the_next_who_waits_makes_the_answer() -> None:
    kept, calls, got = Kept(), list[int](), list[bytes]()

    async def make() -> Answer:
        calls.append(1)
        await anyio.sleep(0.01)
        if len(calls) == 1:
            raise ValueError
        return answer("shares", "text/plain")

    async def ask() -> None:
        try:
            got.append((await kept.get_or_make("mark", make)).body)
        except ValueError:
            got.append(b"failed")

    async def all_at_once() -> None:
        async with anyio.create_task_group() as tasks:
            for _ in range(3):
                tasks.start_soon(ask)

    anyio.run(all_at_once)
    assert sorted(got) == [b"failed", b"shares", b"shares"]
    assert len(calls) == 2


def test_the_answers_that_were_asked_for_last_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeping, "MOST_BYTES", 30)
    monkeypatch.setattr(keeping, "MOST_OF_ONE", 20)
    kept = Kept()
    for name in "abc":
        kept.put(name, answer(b"0123456789", "text/plain"))
    assert kept.get("a")
    kept.put("d", answer(b"0123456789", "text/plain"))
    kept.put("too large", answer(b"0123456789" * 3, "text/plain"))
    assert [name for name in ("a", "b", "c", "d", "too large") if kept.get(name)] == ["a", "c", "d"]


def test_a_long_text_is_kept_compressed_and_sent_as_the_client_reads_it() -> None:
    made = answer(LONG, "text/plain")
    assert len(made.body) < len(LONG) / 10
    packed, plain = made.response("gzip, br", {"ETag": "e"}), made.response("", {"ETag": "e"})
    assert (packed.headers["Content-Encoding"], gzip.decompress(bytes(packed.body)).decode()) == ("gzip", LONG)
    assert ("Content-Encoding" in plain.headers, bytes(plain.body).decode()) == (False, LONG)
    assert {one.headers["Vary"] for one in (packed, plain)} == {"Accept-Encoding"}
