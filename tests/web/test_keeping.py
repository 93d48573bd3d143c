"""An answer is made once for all who ask for it at once, kept while there is room, and readable without gzip."""

import gzip

import anyio
import pytest

from otcpipe import resources
from otcpipe.records import Partition
from otcpipe.storage import reader
from otcpipe.web import keeping, reading
from otcpipe.web.keeping import RESTS, Answer, Kept, answer
from otcpipe.web.reading import Reading
from tests.support.pipeline import WEEK, api_text, drive, observe

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


def test_while_one_answer_is_renewed_others_get_the_one_before_and_for_three_times_as_long() -> None:
    kept, got, calls = Kept(), list[tuple[str, bytes]](), list[str]()
    kept.put("old", answer("before", "text/plain"))

    async def ask(mark: str, *earlier: str) -> None:
        async def make() -> Answer:
            calls.append(mark)
            await anyio.sleep(0.2)
            return answer(mark, "text/plain")

        found = await kept.get_or_renew(mark, earlier, make)
        got.append((found[0], found[1].body))

    async def in_turn() -> None:
        async with anyio.create_task_group() as tasks:
            for _ in range(10):
                tasks.start_soon(ask, "new", "older", "old")
        await ask("new", "old")
        await ask("newer", "new", "old")
        await anyio.sleep(0.2 * RESTS + 0.05)
        await ask("newer", "new", "old")

    anyio.run(in_turn)
    before, renewed = ("old", b"before"), ("new", b"new")
    assert got == [*[before] * 9, renewed, renewed, renewed, ("newer", b"newer")]
    assert calls == ["new", "newer"]


def test_the_first_page_of_several_is_never_one_of_before() -> None:
    kept = Kept()
    kept.put("old", answer("before", "text/plain", {"Link": '</?cursor=x>; rel="next"'}))

    async def ask() -> tuple[str, Answer]:
        async def make() -> Answer:
            return answer("now", "text/plain")

        return await kept.get_or_renew("new", ["old"], make)

    assert anyio.run(ask) == ("new", answer("now", "text/plain"))


def test_a_state_of_the_data_answers_for_a_minute_after_it_ended(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "FRESH_SECONDS", -1)
    with resources.database().transaction() as transaction:
        reader.make(transaction)
    asked = Reading(environment["OTCPIPE_DATABASE_URL"])
    partition = Partition(WEEK, "T1")
    before = asked.version()
    drive(observe(api_text([{"issueSymbolIdentifier": "AAPL"}], partition), partition, covers="all"))
    after = asked.version()
    assert asked.states(after, is_of_work=False) == [after.text, before.text]
    assert asked.states(asked.version(), is_of_work=True) == [after.work, before.work]
    monkeypatch.setattr(reading, "EARLIER_SECONDS", 0)
    assert asked.states(after, is_of_work=False) == [after.text]
    asked.close()


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
