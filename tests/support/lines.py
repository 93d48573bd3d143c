"""Hypothesis strategies for files of any lines, well formed or not, and what parse made of their lines."""

from collections.abc import Iterable

import pyarrow as pa
from hypothesis import strategies as st

from otcpipe.datasets import WEEKLY
from otcpipe.records import Partition
from otcpipe.stages import normalize, parse
from otcpipe.text.tables import Normalized
from tests.support.pipeline import WEEK, api_text, file_text

OTCE = Partition(WEEK, "OTCE")
FIELDS = st.text(st.characters(codec="utf-8", exclude_characters="|\r\n\0"), max_size=8)
GOOD = [
    *file_text([("ABC", "AAAA", 1, 1), ("NA", "AAAA", "2.5", 1), ("", "BBBB", 3, 1)]).splitlines()[1:],
    *api_text([{}, {"MPID": "BBBB"}, {"summaryTypeCode": "OTC_W_SMBL"}], OTCE).splitlines()[1:],
]


def joined(fields: Iterable[str]) -> bytes:
    return "|".join(fields).encode()


def rows(width: int) -> st.SearchStrategy[bytes]:
    """Lines with the right number of fields of any text, at least one of them not empty."""
    return st.lists(FIELDS, min_size=width, max_size=width).filter(any).map(joined)


LINES = st.one_of(
    st.sampled_from(GOOD),
    st.sampled_from(GOOD).map(lambda line: line + b"\r"),
    st.sampled_from(GOOD).map(lambda line: line[:9] + b"\xff\r" + line[9:]),
    st.binary(max_size=30).map(lambda line: line.translate(None, b"\n\0|")),
    st.lists(FIELDS, max_size=20).filter(any).map(joined),
    rows(8),
    rows(17),
    st.just(b""),
)


@st.composite
def files(draw: st.DrawFn) -> bytes:
    """A file with FINRA's header, either one, and at least one line."""
    lines = [
        joined(draw(st.sampled_from([WEEKLY.api_fields, WEEKLY.file_order]))),
        *draw(st.lists(LINES, min_size=1, max_size=12)),
    ]
    mark = draw(st.sampled_from([b"", b"\xef\xbb\xbf"]))
    return mark + draw(st.sampled_from([b"\n", b"\r\n"])).join(lines) + draw(st.sampled_from([b"", b"\n", b"\r\n"]))


def lines_below_header(content: bytes) -> list[str]:
    """Return the lines below the header for any line ending, without blank lines at the end."""
    lines = content.removeprefix(b"\xef\xbb\xbf").replace(b"\r\n", b"\n").split(b"\n")[1:]
    while lines and not lines[-1].strip(b" \t"):
        lines.pop()
    return [line.decode("utf-8", "replace") for line in lines]


def normalized(content: bytes, partition: Partition = OTCE) -> Normalized:
    return normalize.rows(parse.rows(content), partition)


def rejects(rows: Normalized) -> list[tuple[int, str]]:
    return [(row["line"], row["reason"]) for row in rows.rejects.to_pylist()]


def numbers(*tables: pa.Table) -> list[int]:
    return sorted(line for table in tables for line in table["line"].to_pylist())
