"""Words and values of pages: whatever they hold, the text is the same and is escaped."""

from decimal import Decimal
from html import unescape

from hypothesis import given
from hypothesis import strategies as st

from otcpipe.web.rendering import coded, known


@given(st.text(st.characters(categories=["L", "N", "P", "S", "Zs"])))
def test_words_between_backticks_are_code_and_nothing_else_is_markup(text: str) -> None:
    found = str(coded(text))
    plain = found.replace("<code>", "").replace("</code>", "")
    assert "<" not in plain
    assert unescape(plain).replace("`", "") == unescape(str(coded(text.replace("`", ""))))
    assert found.count("<code>") == found.count("</code>") == text.count("`") // 2


def test_a_command_is_code_and_an_open_backtick_stays() -> None:
    assert str(coded("see `otcpipe accept` <b>`")) == "see <code>otcpipe accept</code> &lt;b&gt;`"


def test_a_value_of_a_metric_has_every_digit() -> None:
    values = [Decimal("9095.000000"), Decimal("0.229577"), 84, None, True, ["AAAA", "BBBB"], "up"]
    assert [known(value) for value in values] == ["9,095", "0.229577", "84", "none", "yes", "AAAA, BBBB", "up"]
