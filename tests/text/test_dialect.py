"""FINRA's rows however a file writes them: encodings, line ends, delimiters, quotes, columns in any order."""

import csv
import io
from pathlib import Path
from typing import Literal

import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from otcpipe.datasets import WEEKLY
from otcpipe.stages import parse
from otcpipe.text.columns import LINE, REASON
from tests.support.lines import OTCE, joined, normalized, numbers, rejects
from tests.support.pipeline import api_text, file_text

CASES = Path(__file__).parents[1] / "data" / "file_shapes"
PLAIN = file_text([("AABB", "OTCN", "2841885", 155), ("NA", "OTCX", "144056.5", 6)])
HEADER, FIRST, SECOND = PLAIN.splitlines()
VALUES = st.text(st.characters(codec="utf-8", exclude_characters="\0\r"), max_size=12)


def written(
    rows: list[list[str]], delimiter: str = ",", quoting: Literal[0, 1] = csv.QUOTE_ALL, ending: str = "\n"
) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=delimiter, quoting=quoting, lineterminator=ending).writerows(
        [[*WEEKLY.file_order], *rows]
    )
    return text.getvalue().encode()


def fields(content: bytes) -> list[list[str]]:
    return [line.split("|") for line in content.decode().splitlines()[1:]]


def shares(content: bytes) -> list[str]:
    return [str(value.normalize()) for value in normalized(content).records["share_volume"].to_pylist()]


@pytest.mark.parametrize(
    "content",
    [
        PLAIN,
        b"\xef\xbb\xbf" + PLAIN,
        PLAIN.decode().encode("utf-16"),
        PLAIN.decode().encode("utf-16-le"),
        PLAIN.decode().encode("utf-16-be"),
        b"\xfe\xff" + PLAIN.decode().encode("utf-16-be"),
        PLAIN.replace(b"\n", b"\r\n"),
        PLAIN.replace(b"\n", b"\r"),
        PLAIN.replace(b"\n", b"\r").removesuffix(b"\r") + b"\n",
        PLAIN + b"\n  \n\t\n\n",
        PLAIN.removesuffix(b"\n"),
        *(b"sep=" + mark + b"\n" + PLAIN.replace(b"|", mark) for mark in (b"|", b",", b";", b"\t")),
        b'"sep=,"\r\n' + PLAIN.replace(b"|", b",").replace(b"\n", b"\r\n"),
        *(PLAIN.replace(b"|", mark) for mark in (b",", b";", b"\t")),
        *(written(fields(PLAIN), mark) for mark in "|,;\t"),
        *(written(fields(PLAIN), mark, csv.QUOTE_MINIMAL, "\r\n") for mark in ",;\t"),
        written(fields(PLAIN), "|").split(b"\n")[0] + b"\n" + FIRST + b"\n" + SECOND,
        HEADER + b"\n" + written(fields(PLAIN), "|").split(b"\n", 1)[1],
        written(fields(PLAIN), "\t").decode().encode("utf-16"),
    ],
)
def test_the_same_rows_are_read_however_they_are_written(content: bytes) -> None:
    assert shares(content) == ["2841885", "144056.5"]
    assert normalized(content).records["symbol"].to_pylist() == ["AABB", "NA"]
    assert normalized(content).rejects.num_rows == 0


@pytest.mark.parametrize("case", sorted(CASES.iterdir()), ids=lambda case: case.name)
def test_files_as_people_bring_them_are_read(case: Path) -> None:
    rows = normalized(case.read_bytes())
    assert sum(rows.records["share_volume"].to_pylist()) == 3_165_372
    assert rejects(rows) == ([(7, "1 columns instead of 8")] if case.stem == "footer" else [])


@settings(deadline=None, max_examples=60)
@given(st.permutations(WEEKLY.file_order), st.sampled_from("|,;\t"))
def test_columns_may_be_in_any_order(order: list[str], mark: str) -> None:
    rows = [dict(zip(WEEKLY.file_order, row, strict=True)) for row in fields(PLAIN)]
    lines = [order, *([row[name] for name in order] for row in rows)]
    assert shares("\n".join(mark.join(line) for line in lines).encode()) == ["2841885", "144056.5"]


def test_an_added_column_of_a_file_is_kept_and_named() -> None:
    content = HEADER + b"|totalNotionalSum|session\n" + FIRST + b"|123.45|NA\n"
    assert parse.added_columns(content) == ["totalNotionalSum", "session"]
    table = parse.rows(content)
    assert (table["session"].to_pylist(), table["totalNotionalSum"].to_pylist()) == (["NA"], ["123.45"])
    assert shares(content) == ["2841885"]


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.lists(VALUES, min_size=8, max_size=8).filter(any), min_size=1, max_size=5), st.sampled_from("|,;\t")
)
@example([['5" pipe', "a|b,c;d\te", "two\nlines", '""', '"', "\n", "NA", "'"]] * 2, ",")
def test_quoted_values_are_read_exactly(rows: list[list[str]], mark: str) -> None:
    table = parse.rows(written(rows, mark))
    assert table[REASON].null_count == table.num_rows
    kept = zip(*(table[name].to_pylist() for name in WEEKLY.file_order), strict=True)
    assert [list(row) for row in kept] == [[value or None for value in row] for row in rows]


def test_a_row_has_the_number_of_its_first_line() -> None:
    content = written([["OTC", "A", "a name\nof two\nlines", "", "AAAA", "1", "1", "2025-12-15"], *fields(PLAIN)])
    assert parse.rows(content)[LINE].to_pylist() == [2, 5, 6]
    assert parse.rows(b"sep=,\n" + content)[LINE].to_pylist() == [3, 6, 7]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b'"OTC","B","never closed,"x","AAAA","1","1","2025-12-15"', "a quote that is not closed, or inside a value"),
        (
            b'"OTC","B","closed"early","x","AAAA","1","1","2025-12-15"',
            "a quote that is not closed, or inside a value",
        ),
        (b'"OTC","B","caf\xe9","x","AAAA","1","1","2025-12-15"', "not UTF-8"),
        (b'"OTC","B","a\0b","x","AAAA","1","1","2025-12-15"', "a NUL character inside the line"),
        (b'"OTC","B"', "2 columns instead of 8"),
        (b"Total rows: 5", "1 columns instead of 8"),
        (b"", "an empty line"),
        (b'"OTC","B","' + b"x" * 20_000 + b'","x","AAAA","1","1","2025-12-15"', "longer than 16,384 bytes"),
    ],
)
def test_a_broken_line_of_a_quoted_file_costs_only_itself(line: bytes, reason: str) -> None:
    head, first, second = written(fields(PLAIN)).splitlines()
    rows = normalized(b"\n".join([head, first, line, second]))
    assert numbers(rows.records) == [2, 4]
    assert rejects(rows) == [(3, reason)]


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        (b"a|delimiter", "9 columns instead of 8"),
        (b"a\0NUL", "a NUL character inside the line"),
        (b"a\rreturn", "a carriage return inside the line"),
        (b"caf\xe9", "not UTF-8"),
        (b"x" * 20_000, "longer than 16,384 bytes"),
    ],
)
def test_a_broken_line_of_a_plain_file_costs_only_itself_and_its_symbol_is_known(name: bytes, reason: str) -> None:
    broken = FIRST.replace(b"AABB Inc", name)
    rows = normalized(b"\n".join([HEADER, SECOND, broken, SECOND.replace(b"NA", b"NAN")]))
    assert rejects(rows) == [(3, reason)]
    assert rows.rejects["symbol"].to_pylist() == ["AABB"]
    assert rows.records["symbol"].to_pylist() == ["NA", "NAN"]


def test_a_name_with_a_line_break_costs_its_two_lines() -> None:
    rows = normalized(b"\n".join([HEADER, FIRST.replace(b" Inc", b"\nInc"), SECOND]))
    assert rejects(rows) == [(2, "3 columns instead of 8"), (3, "6 columns instead of 8")]
    assert rows.rejects["symbol"].to_pylist() == ["AABB", None]
    assert rows.records["symbol"].to_pylist() == ["NA"]


@settings(deadline=None, max_examples=60)
@given(st.lists(st.sampled_from([FIRST, SECOND, b'"', b'"OTC","A', b'x"', b'5" pipe', b"", b"\xff"]), max_size=30))
@example([b'"OTC","A'] * 30)
def test_no_line_of_a_quoted_file_is_swallowed_by_a_quote_that_another_leaves_open(lines: list[bytes]) -> None:
    table = parse.rows(b"\n".join([written([]).strip(), *lines, b"end"]))
    assert table[LINE].to_pylist() == list(range(2, len(lines) + 3))
    assert table[REASON].null_count == 0


def test_the_text_of_the_api_is_read_with_commas_and_quotes_too() -> None:
    rows = [line.split("|") for line in api_text([{}, {"MPID": "BBBB"}], OTCE).decode().splitlines()]
    text = io.StringIO()
    csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows(rows)
    assert isinstance(parse.rows(text.getvalue().encode()), pa.Table)
    assert normalized(text.getvalue().encode()).records["mpid"].to_pylist() == ["AAAA", "BBBB"]


def test_a_quote_in_a_plain_file_is_a_character() -> None:
    content = joined(WEEKLY.file_order) + b"\n" + FIRST.replace(b"AABB Inc", b'"AABB" 5" Inc')
    assert normalized(content).records["issue_name"].to_pylist() == ['"AABB" 5" Inc']
