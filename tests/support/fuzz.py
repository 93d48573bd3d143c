"""Mutated files and answers of the API: `python -m tests.support.fuzz KIND FIRST COUNT` prints what became of them.

A seed is one input. Each must end soon in rows or in an error of ours, and no line may be lost or counted twice.
"""

import gzip
import json
import random
import resource
import sys
import time
from collections import Counter
from collections.abc import Callable
from datetime import date
from pathlib import Path

from otcpipe.errors import OtcpipeError
from otcpipe.finra import pages
from otcpipe.finra.transport import Answer
from otcpipe.records import Page, Partition
from otcpipe.stages import normalize, paging, parse, website_file
from otcpipe.stages.completeness import PartitionChanged
from otcpipe.storage import gz
from otcpipe.text import dialect
from tests.support.pipeline import api_text

DATA = Path(__file__).parents[1] / "data" / "finra_otc_weekly_otc_20251215.csv.gz"
OTCE = Partition(date(2025, 11, 14), "OTCE")
SPECIAL = (b"\n", b"\r", b"\r\n", b"|", b",", b'"', b"\0", b"\xff", b"\xef\xbb\xbf", b"\\", b"\x1f\x8b", b"9" * 40)
SLOW_SECONDS = 10
ROWS = 24
PAGE_ROWS = 7
Mutation = Callable[[random.Random, bytes], bytes]


def flip(chance: random.Random, content: bytes) -> bytes:
    at = chance.randrange(len(content))
    return content[:at] + bytes([content[at] ^ (1 << chance.randrange(8))]) + content[at + 1 :]


def insert(chance: random.Random, content: bytes) -> bytes:
    at = chance.randrange(len(content) + 1)
    return content[:at] + chance.choice(SPECIAL) * chance.choice((1, 1, 1, 3, 5000)) + content[at:]


def cut(chance: random.Random, content: bytes) -> bytes:
    return content[: chance.randrange(1, len(content) + 1)]


def delete(chance: random.Random, content: bytes) -> bytes:
    at = chance.randrange(len(content))
    return content[:at] + content[at + chance.randrange(1, 60) :]


def copy(chance: random.Random, content: bytes) -> bytes:
    at, to = chance.randrange(len(content)), chance.randrange(len(content))
    return content[:to] + content[at : at + chance.randrange(1, 400)] + content[to:]


def replace(chance: random.Random, content: bytes) -> bytes:
    return content.replace(chance.choice((b"|", b"\n", b"OTC", b"2025", b"1", b'"')), chance.choice(SPECIAL))


MUTATIONS: tuple[Mutation, ...] = (flip, insert, cut, delete, copy, replace)


def mutated(chance: random.Random, content: bytes) -> bytes:
    """The content after one to four mutations, never empty."""
    for _ in range(chance.randrange(1, 5)):
        content = chance.choice(MUTATIONS)(chance, content) or b"x"
    return content


def file_case(seed: int) -> str:
    """One mutated file, plain or compressed; returns what became of it, and raises AssertionError for a lost line."""
    chance = random.Random(seed)
    lines = gzip.decompress(DATA.read_bytes()).splitlines(keepends=True)
    text = b"".join([lines[0], *chance.sample(lines[1:], 30)])
    if chance.random() < 0.3:
        text = text.replace(b"|", chance.choice((b",", b"\t", b";")))
    if chance.random() < 0.2:
        text = text.decode().encode("utf-16")
    content = mutated(chance, text)
    if chance.random() < 0.2:
        content = mutated(chance, gzip.compress(content, mtime=0))
    try:
        content = gz.expand(content)
        _check_lines(content)
        website_file.read(content)
    except OtcpipeError as error:
        return _outcome(error)
    return "read"


def _check_lines(content: bytes) -> None:
    """Every line below the header is a record, a total or a reject, once."""
    source = dialect.detect(content)
    rows = normalize.rows(parse.rows(content), OTCE)
    numbers = [line for table in (rows.kept, rows.rejects) for line in table["line"].to_pylist()]
    assert len(numbers) == len({*numbers}), "a line was counted twice"
    if not source.is_quoted:
        count = source.text.removesuffix(b"\n").count(b"\n")
        first = 2 + source.lines_above
        assert sorted(numbers) == [*range(first, first + count)], "a line was lost"


def answer_case(seed: int) -> str:
    """One partition whose pages are mutated on their way; what is accepted has every row once."""
    chance = random.Random(seed)
    fields: list[dict[str, object]] = [{"issueSymbolIdentifier": f"A{chr(65 + at)}"} for at in range(ROWS)]
    header, *rows = api_text(fields, OTCE).decode().splitlines()
    is_structural, spoiled = chance.random() < 0.5, chance.randrange(8)
    calls = 0

    def ask(offset: int, limit: int, /, *, is_json: bool | None = None) -> Page:
        nonlocal calls
        calls += 1
        found = rows[offset : offset + min(limit, PAGE_ROWS)]
        body, total = _body(header, found, is_json=bool(is_json)), str(len(rows))
        if calls - 1 == spoiled or (not is_structural and chance.random() < 0.1):
            body = cut(chance, body) if is_structural else mutated(chance, body)
            total = total if is_structural or chance.random() < 0.9 else chance.choice(("", "0", "9" * 30, "-1", "7"))
        try:
            return pages.page(Answer(200, {"Record-Total": total}, body), is_json=bool(is_json))
        except ValueError:
            raise PartitionChanged("not data") from None

    try:
        found = paging.read_partition(OTCE, ask)
    except OtcpipeError as error:
        return _outcome(error)
    if found is None:
        assert not is_structural, "a partition with rows is empty"
        return "empty"
    _check_lines(found.content)
    if is_structural:
        assert sorted(found.content.decode().splitlines()[1:]) == sorted(rows), "a row was lost or changed"
    return "read"


def _outcome(error: OtcpipeError) -> str:
    assert str(error), "an error without a sentence"
    return type(error).__name__


def _body(header: str, rows: list[str], *, is_json: bool) -> bytes:
    """The rows as FINRA's text or JSON."""
    if not is_json:
        return "".join(f"{line}\n" for line in (header, *rows)).encode()
    names = header.split("|")
    listed = [dict(zip(names, (value or None for value in row.split("|")), strict=True)) for row in rows]
    return json.dumps(listed).encode()


CASES = {"file": file_case, "answer": answer_case}


def main() -> None:
    kind, first, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    paging.PAGE_ROWS = PAGE_ROWS
    outcomes, failures, longest = Counter[str](), list[str](), 0.0
    for seed in range(first, first + count):
        start = time.process_time()
        try:
            outcomes[CASES[kind](seed)] += 1
        except Exception as error:  # noqa: BLE001 - any other error is what is looked for
            failures.append(f"{kind} {seed}: {type(error).__name__}: {error}")
        longest = max(longest, time.process_time() - start)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
    print(json.dumps({"outcomes": outcomes, "failures": failures, "seconds": longest, "megabytes": peak}))


if __name__ == "__main__":
    main()
