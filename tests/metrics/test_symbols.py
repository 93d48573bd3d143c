"""The nearest symbol differs in case and separators only, where one does; else it is similar."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otcpipe import resources
from otcpipe.metrics.symbols import nearest, sentence, unknown
from otcpipe.records import Partition
from tests.support.pipeline import drive, file_text, observe

STORED = ["BRK.A", "BRK.B", "BRKB", "TCEHY", "NA"]
SYMBOLS = st.text("ABC", min_size=1, max_size=4)


@pytest.mark.parametrize(
    ("symbol", "near"),
    [("BRK-A", "BRK.A"), ("brk/a", "BRK.A"), ("brkb", "BRKB"), ("na", "NA"), ("TCEHYY", "TCEHY"), ("?", None)],
)
def test_the_nearest_symbol(symbol: str, near: str | None) -> None:
    assert nearest(symbol, STORED) == near


@pytest.mark.parametrize("typed", ["APPL", "aalp"])
def test_of_equally_similar_symbols_the_most_traded_is_the_nearest(typed: str, environment: dict[str, str]) -> None:
    rows = [("APYP", "AAAA", 5, 1), ("AAPL", "AAAA", 900, 1), ("APPN", "AAAA", 70, 1), ("AALB", "AAAA", 70, 1)]
    drive(observe(file_text(rows, "T1"), Partition(date(2025, 11, 14), "T1")))
    with resources.database().transaction() as transaction:
        assert unknown(transaction, [typed]) == {typed: "AAPL"}


@given(SYMBOLS, SYMBOLS, st.sampled_from(["-", "/", " ", ""]), st.lists(st.text(max_size=6)))
def test_other_separators_and_cases_are_seen_through(one: str, two: str, separator: str, others: list[str]) -> None:
    found = nearest(f"{one}{separator}{two}".lower(), [*others, f"{one}.{two}"])
    assert found is not None
    assert [letter for letter in found.upper() if letter.isalnum()] == [*one, *two]


def test_what_is_said() -> None:
    assert sentence("brk-b", "BRK.B") == "No symbol 'brk-b' is stored: did you mean BRK.B?"
    assert sentence("?", None) == "No symbol '?' is stored."


def test_a_symbol_that_was_delisted_is_among_the_nearest(environment: dict[str, str]) -> None:
    weeks = {date(2022, 12, 16): "AGED", date(2025, 6, 13): "OLDCO", date(2025, 6, 27): "OLDCO"}
    for week, symbol in (weeks | {date(2025, 11, 14): "NEWCO"}).items():
        drive(observe(file_text([(symbol, "AAAA", 1, 1)]), Partition(week, "OTCE")))
    with resources.database().transaction() as transaction:
        assert unknown(transaction, ["Inc", "wco I"]) == {"Inc": "NEWCO", "wco I": None}, "by a word of a name"
        assert unknown(transaction, ["OLDC", "NEWC", "AGEDD"]) == {"OLDC": "OLDCO", "NEWC": "NEWCO", "AGEDD": "AGED"}
