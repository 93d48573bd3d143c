"""The lines that hold a symbol are found without splitting the whole text."""

from hypothesis import given
from hypothesis import strategies as st

from otcpipe.audit.raw_lines import lines_with


@given(
    st.lists(st.sampled_from(["A|B", "B", "AB|", "", "|A", "AAA"]), max_size=8), st.sampled_from(["A", "B", "A|B"])
)
def test_the_lines_are_those_of_the_split_text_that_hold_it(lines: list[str], sought: str) -> None:
    text = "\n".join(lines)
    expected = [(at, line.encode()) for at, line in enumerate(text.split("\n"), 1) if at > 1 and sought in line]
    assert list(lines_with(text.encode(), sought.encode())) == expected
