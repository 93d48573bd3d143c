"""Values that delimited text cannot hold are written, parsed and found again exactly."""

import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from otcpipe.audit import raw_lines
from otcpipe.datasets import WEEKLY
from otcpipe.stages import parse
from otcpipe.text import escapes, unquoted
from otcpipe.text.columns import LINE, REASON, TEXT
from otcpipe.text.tables import decode_dictionaries
from tests.support.lines import OTCE, joined
from tests.support.pipeline import api_text

VALUES = st.text(
    st.one_of(st.sampled_from("|\n\r\\u0"), st.characters(codec="utf-8", exclude_characters="\0")), max_size=12
)
ROWS = st.lists(st.lists(VALUES, min_size=17, max_size=17).filter(any), min_size=1, max_size=5)
PLAIN = st.text(st.characters(codec="utf-8", exclude_characters="|\n\r\0"))
HEADER = joined(WEEKLY.api_fields)


def written(rows: list[list[str]]) -> bytes:
    return escapes.join(HEADER, ["|".join(map(escapes.escape, row)).encode() for row in rows])


@settings(deadline=None)
@given(st.text(max_size=30))
@example("\\u007c|\\u005c\\")
def test_an_escaped_value_is_one_field_of_one_line_and_is_restored(value: str) -> None:
    assert not set("|\n\r\0") & set(escapes.escape(value))
    assert escapes.unescape(escapes.escape(value)) == value
    column = pa.array([escapes.escape(value), None])
    assert unquoted.unescape_column(column).to_pylist() == [value, None]
    assert unquoted.unescape_column(column.dictionary_encode()).to_pylist() == [value, None]


@settings(deadline=None)
@given(ROWS)
@example([["a|b", "\\u007c", "line\nbreak", "\r", "\\", *["x"] * 12]])
def test_rows_of_any_values_are_parsed_as_they_were(rows: list[list[str]]) -> None:
    table = decode_dictionaries(parse.rows(written(rows)))
    assert table[LINE].to_pylist() == list(range(2, len(rows) + 2))
    assert table[REASON].null_count == len(rows)
    found = list(zip(*(table[name].to_pylist() for name in WEEKLY.api_fields), strict=True))
    assert found == [tuple(value or None for value in row) for row in rows]


@settings(deadline=None)
@given(
    st.lists(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="|\n\r\0")), min_size=3, max_size=3))
)
def test_rows_that_plain_text_can_hold_are_plain_text(rows: list[list[str]]) -> None:
    escaped = ["|".join(map(escapes.escape, row)).encode() for row in rows]
    assert escapes.join(b"a|b|c", escaped) == b"".join(joined(row) + b"\n" for row in [["a", "b", "c"], *rows])


def test_a_backslash_of_plain_text_is_a_backslash() -> None:
    content = api_text([{"issueName": r"A \u007c B"}], OTCE)
    assert parse.rows(content)["issueName"].to_pylist() == [r"A \u007c B"]


@pytest.mark.parametrize(
    ("odd", "reason"),
    [
        (0, "a NUL character inside a value"),
        (0xD800, "an unpaired surrogate inside a value"),
        (0xDFFF, "an unpaired surrogate inside a value"),
    ],
)
def test_a_row_that_cannot_be_stored_is_rejected_and_the_others_are_not(odd: int, reason: str) -> None:
    name = f"A{chr(odd)}B"
    good, bad = api_text([{}, {"issueName": escapes.escape(name)}], OTCE).splitlines()[1:]
    table = parse.rows(escapes.join(HEADER, [good, bad, good]))
    assert table[REASON].to_pylist() == [None, reason, None]
    assert table[TEXT].to_pylist()[1] == bad.decode()
    assert table["issueName"].to_pylist() == ["Abc Inc", None, "Abc Inc"]


@pytest.mark.parametrize("name", ["odd|column", "odd\ncolumn", "odd\\column"])
def test_an_added_column_may_have_an_odd_name(name: str) -> None:
    row = api_text([{}], OTCE).splitlines()[1] + b"|\\u007c"
    content = escapes.join(HEADER + b"|" + escapes.escape(name).encode(), [row])
    assert parse.added_columns(content) == [name]
    assert parse.rows(content)[name].to_pylist() == ["|"]


def test_lines_of_an_escaped_text_are_found_by_their_symbol() -> None:
    row = api_text([{"issueSymbolIdentifier": "A\\u007cB", "issueName": "x\\u000ay"}], OTCE).splitlines()[1]
    (found,) = raw_lines.of_symbol(escapes.join(HEADER, [row]), "A|B")
    assert (found.number, found.fields["issueName"]) == (2, "x\ny")
