"""The lines that hold a symbol are found without splitting the whole text."""

from hypothesis import given
from hypothesis import strategies as st

from otcpipe.audit.raw_lines import lines_with, of_symbol
from tests.support.pipeline import file_text


@given(
    st.lists(st.sampled_from(["A|B", "B", "AB|", "", "|A", "AAA"]), max_size=8), st.sampled_from(["A", "B", "A|B"])
)
def test_the_lines_are_those_of_the_split_text_that_hold_it(lines: list[str], sought: str) -> None:
    text = "\n".join(lines)
    expected = [(at, line.encode()) for at, line in enumerate(text.split("\n"), 1) if at > 1 and sought in line]
    assert list(lines_with(text.encode(), sought.encode())) == expected


def test_rows_of_quoted_values_begin_where_they_begin() -> None:
    """Names may hold line breaks, and quotes are doubled."""
    header = file_text([]).decode().rstrip("\n")
    rest = '"AAAA VENUE"|"AAAA"|"7"|"1"|"2025-12-15"'
    rows = [f'"OTC"|"{symbol}"|"One\nC|{number}"|{rest}' for number, symbol in enumerate(('A""B', "C"))]
    content = "\n".join([header, *rows, ""]).encode()
    assert [(line.number, line.fields["issueName"]) for line in of_symbol(content, 'A"B')] == [(2, "One\nC|0")]
    assert [(line.number, line.fields["issueName"]) for line in of_symbol(content, "C")] == [(4, "One\nC|1")]
