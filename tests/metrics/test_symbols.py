"""The nearest symbol differs in case and separators only, where one does; else it is similar."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otcpipe.metrics.symbols import nearest, sentence

STORED = ["BRK.A", "BRK.B", "BRKB", "TCEHY", "NA"]
SYMBOLS = st.text("ABC", min_size=1, max_size=4)


@pytest.mark.parametrize(
    ("symbol", "near"),
    [("BRK-A", "BRK.A"), ("brk/a", "BRK.A"), ("brkb", "BRKB"), ("na", "NA"), ("TCEHYY", "TCEHY"), ("?", None)],
)
def test_the_nearest_symbol(symbol: str, near: str | None) -> None:
    assert nearest(symbol, STORED) == near


@given(SYMBOLS, SYMBOLS, st.sampled_from(["-", "/", " ", ""]), st.lists(st.text(max_size=6)))
def test_other_separators_and_cases_are_seen_through(one: str, two: str, separator: str, others: list[str]) -> None:
    found = nearest(f"{one}{separator}{two}".lower(), [*others, f"{one}.{two}"])
    assert found is not None
    assert [letter for letter in found.upper() if letter.isalnum()] == [*one, *two]


def test_what_is_said() -> None:
    assert sentence("brk-b", "BRK.B") == "No symbol 'brk-b' is stored: did you mean BRK.B?"
    assert sentence("?", None) == "No symbol '?' is stored."
