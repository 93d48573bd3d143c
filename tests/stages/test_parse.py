import gzip
import hashlib
from pathlib import Path
from typing import Any

import pyarrow as pa
from hypothesis import example, given, settings
from hypothesis import strategies as st

from otcpipe.datasets import WEEKLY
from otcpipe.stages import parse, versions
from otcpipe.text.columns import LINE, REASON, SYMBOL, TEXT
from otcpipe.text.tables import decode_dictionaries
from tests.support.lines import FIELDS, OTCE, files, joined, lines_below_header
from tests.support.pipeline import api_text, file_text

DATA = Path(__file__).parents[1] / "data"
REAL = "finra_otc_weekly_otc_20251215.csv.gz"
API, FILE = joined(WEEKLY.api_fields), joined(WEEKLY.file_order)
ROW = file_text([("ABC", "AAAA", 1, 1)]).splitlines()[1]
EIGHT = st.lists(FIELDS, min_size=8, max_size=8).filter(any)
OUTPUT = {  # version: SHA-256 of the golden inputs' rows. Another output needs another VERSION and a line here.
    1: "eb96eb5ac33ef23c639faa45cf7eb3b55cb32c33ab4a47f5513901e645f83bb5",
    2: "9d1a904800300ef34223a2cc5c8c6f5d4add235de1ac12e5d592a763ee8c2ace",
}


def values(table: pa.Table) -> list[tuple[Any, ...]]:
    """The columns of FINRA's header, row by row."""
    names = [name for name in table.column_names if name not in (LINE, REASON, TEXT, SYMBOL)]
    return list(zip(*(table[name].to_pylist() for name in names), strict=True))


def malformed(table: pa.Table) -> list[tuple[int, str, str]]:
    rows = zip(table[LINE].to_pylist(), table[REASON].to_pylist(), table[TEXT].to_pylist(), strict=True)
    return [row for row in rows if row[1] is not None]


def test_all_rows_of_a_real_file_are_read_unchanged() -> None:
    content = gzip.decompress((DATA / REAL).read_bytes())
    table = parse.rows(content)
    assert table.num_rows == 5328
    assert malformed(table) == []
    assert ["|".join(value or "" for value in row) for row in values(table)] == content.decode().splitlines()[1:]


def test_output_changes_only_with_the_version() -> None:
    bad = b"\n\nOTC|ABC\nOTC|A\rB|x\n\xff\n" + ROW + b"|more\r\n" + 'OTC|NA|Ä, "B"|||1e3||'.encode()
    real = gzip.decompress((DATA / REAL).read_bytes())
    quotes = FILE.replace(b"|", b",") + bad.replace(b"|", b",") + b'\n"OTC","A","two\nlines",,,,,\n"OTC"x'
    texts = (FILE + bad, API + b"|added" + bad, api_text([{}, {}], OTCE), real, quotes, b"sep=|\n" + FILE + bad)
    tables = [decode_dictionaries(parse.rows(content)) for content in texts]
    results = [(str(table.schema.types), table.to_pydict()) for table in tables]
    assert hashlib.sha256(repr(results).encode()).hexdigest() == OUTPUT[versions.PARSE]


@settings(deadline=None, max_examples=40)
@given(files())
@example(FILE + b"\n" + b"\n" * 3)
@example(FILE + b"\n" + ROW + b"  \n \t\n\n")
def test_every_line_is_kept_once_with_its_number(content: bytes) -> None:
    table = parse.rows(content)
    lines = lines_below_header(content)
    assert table[LINE].to_pylist() == list(range(2, len(lines) + 2))
    kept = ["|".join(value or "" for value in row) for row in values(table)]
    texts = table[TEXT].to_pylist()
    assert [row if text is None else text for row, text in zip(kept, texts, strict=True)] == lines


@settings(deadline=None, max_examples=40)
@given(st.lists(EIGHT, min_size=1, max_size=6))
@example(
    [["NA", "NAN", "NAT", "ON", "null", "NULL", "None", "nan"], ["#N/A", "", "true", "007", "1.0", "-", "'", " "]]
)
@example([["Abc, Inc.", '"Quoted"', '"', "50% $0.001 A&B's", "x\\", "\\N", "a  b ", "ÄÖ™ \u2028\x85\x0b"]] * 2)
def test_fields_are_kept_verbatim_and_only_nothing_is_null(rows: list[list[str]]) -> None:
    table = parse.rows(b"\n".join([FILE, *map(joined, rows)]))
    assert values(table) == [tuple(field or None for field in row) for row in rows]
    assert malformed(table) == []


def test_a_malformed_line_says_what_is_wrong_with_it() -> None:
    lines = [FILE, ROW, b"", b"OTC|ABC", ROW + b"|more", b"caf\xe9", b"a\rb", ROW]
    table = parse.rows(b"\n".join(lines))
    assert malformed(table) == [
        (3, "an empty line", ""),
        (4, "2 columns instead of 8", "OTC|ABC"),
        (5, "9 columns instead of 8", ROW.decode() + "|more"),
        (6, "not UTF-8", "caf\N{REPLACEMENT CHARACTER}"),
        (7, "a carriage return inside the line", "a\rb"),
    ]
    assert values(table)[0] == values(table)[-1] == tuple(ROW.decode().split("|"))


def test_a_line_of_separators_alone_keeps_its_text() -> None:
    [(line, _, text)] = malformed(parse.rows(FILE + b"\n|||||||\n"))
    assert (line, text) == (2, "|||||||")


def test_numbering_holds_over_megabytes() -> None:
    """The reader works in blocks of a megabyte."""
    lines = [(ROW, b"", b"bad", b"\xff", ROW + b"|")[number % 5] for number in range(70_000)]
    table = parse.rows(b"\n".join([FILE, *lines, ROW]))
    assert table[LINE].to_pylist() == list(range(2, 70_003))
    good = [number + 2 for number, line in enumerate(lines) if line is ROW]
    assert table.filter(table[REASON].is_null())[LINE].to_pylist() == [*good, 70_002]


def test_a_line_of_megabytes_is_kept() -> None:
    long = ROW.replace(b"ABC Inc", b"x" * (3 << 20))
    table = parse.rows(b"\n".join([FILE, ROW, long, ROW]))
    assert table[LINE].to_pylist() == [2, 3, 4]
