"""How `parse` treats headers, and files that are not FINRA's."""

import json
from pathlib import Path

import pytest

from otcpipe.datasets import WEEKLY
from otcpipe.errors import Invalid
from otcpipe.stages import parse
from otcpipe.text.columns import LINE, REASON, SYMBOL, TEXT
from tests.support.lines import OTCE, joined
from tests.support.pipeline import api_text, file_text

DATA = Path(__file__).parents[1] / "data"
REAL = "finra_otc_weekly_otc_20251215.csv.gz"
API, FILE = joined(WEEKLY.api_fields), joined(WEEKLY.file_order)
ROW = file_text([("ABC", "AAAA", 1, 1)]).splitlines()[1]


@pytest.mark.parametrize("ending", [b"", b"\n", b"\r\n"], ids=["nothing", "LF", "CRLF"])
@pytest.mark.parametrize("header", [FILE, API], ids=["file", "API"])
def test_a_header_alone_has_no_rows(header: bytes, ending: bytes) -> None:
    table = parse.rows(header + ending)
    assert (table.num_rows, table.column_names) == (0, [LINE, *header.decode().split("|"), REASON, TEXT, SYMBOL])


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "The file is empty"),
        (b" \r\n\n", "The file is empty"),
        (b"\xef\xbb\xbf", "The file is empty"),
        (b"<!DOCTYPE html>\n<html><body>Service | Unavailable</body></html>", "web page"),
        (b"\xef\xbb\xbf  <html>", "web page"),
        (b"PK\3\4\0\0\0\0\xff", "ZIP archive or an Excel workbook, a binary file"),
        (FILE.decode().encode("utf-32"), "binary file"),
        (FILE.decode().encode("utf-16")[:-1], "ends inside a character"),
        ((DATA / REAL).read_bytes(), "binary file"),
        (json.dumps([dict.fromkeys(WEEKLY.api_fields)]).encode(), "header"),
        (b'{"statusCode":400}', "header"),
        (b"a|b|c\n1|2|3\n", "header"),
        (FILE.upper(), "header"),
        (FILE.replace(b"tier", b'"tier'), "header has a quote that is not closed"),
        (API + b"|MPID", "header names MPID more than once"),
        (API + b"|" * 50, "more than 64"),
        (ROW, "header is missing: the first line is a row"),
        (FILE + b"\n" * 500_001 + b"x", "more than 500,000 lines"),
    ],
)
def test_what_is_not_finras_text_is_refused_by_what_it_is(content: bytes, words: str) -> None:
    with pytest.raises(Invalid, match=words):
        parse.rows(content)


@pytest.mark.parametrize("missing", WEEKLY.api_fields)
def test_a_column_that_the_api_does_not_give_is_named(missing: str) -> None:
    with pytest.raises(Invalid, match=f"The header lacks {missing}\\."):
        parse.rows(joined(name for name in WEEKLY.api_fields if name != missing) + b"\n")


@pytest.mark.parametrize("missing", WEEKLY.file_order)
def test_a_column_that_a_download_does_not_have_is_named(missing: str) -> None:
    with pytest.raises(Invalid, match=missing):
        parse.rows(joined(name for name in WEEKLY.file_order if name != missing) + b"\n")


@pytest.mark.parametrize(
    "header",
    [
        API + b"|caf\xe9",
        API + b"|a\rb",
        API + b"\r\r",
        *(API + f"|{name}".encode() for name in (LINE, REASON, SYMBOL, TEXT)),
    ],
)
def test_a_header_that_cannot_be_used_is_refused(header: bytes) -> None:
    with pytest.raises(Invalid, match="header"):
        parse.rows(header + b"\n" + b"a|" * 17 + b"\n")


def test_a_column_that_finra_adds_is_kept() -> None:
    lines = api_text([{}], OTCE).decode().splitlines()
    table = parse.rows(f"{lines[0]}|newColumn\n{lines[1]}|NA\n".encode())
    assert parse.added_columns(f"{lines[0]}|newColumn\n{lines[1]}|NA\n".encode()) == ["newColumn"]
    assert table["newColumn"].to_pylist() == ["NA"]
    assert parse.added_columns(api_text([{}], OTCE)) == []
    assert parse.added_columns(FILE + b"\n") == []


def test_columns_of_the_api_may_be_in_any_order() -> None:
    order = WEEKLY.api_fields[::-1]
    table = parse.rows(joined(order) + b"\n" + joined(order))
    assert all(table[name].to_pylist() == [name] for name in WEEKLY.api_fields)
