"""Text from outside is shown without terminal controls and invisible characters."""

import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otcpipe.text.printable import REPLACEMENT, Redaction, printable, printable_lines, sentence

HOSTILE = (
    "\x00\x07\x08\t\n\r\x0b\x0c\x1b\x7f\x85\x9b\xad\u061c\u115f\u180e\u200b\u200d\u200e\u200f\u2028\u2029\u202a\u202e"
    "\u2060\u2066\u2069\u3164\ud800\udcff\ue000\ufe0f\ufeff\uffa0\ufff9\U000e0041\U000e0100\U0001d173\U0010fffd"
)
HARMLESS = "ASCII ~ Ærøskøbing e\u0301 \u00a0 漢字 \u05d0\u05d1 \u0645 ½ █▏ 😀"


@pytest.mark.parametrize("character", HOSTILE, ids=lambda one: f"U+{ord(one):04X}")
def test_what_moves_hides_or_turns_is_replaced(character: str) -> None:
    assert printable(f"a{character}b") == f"a{REPLACEMENT}b"
    assert printable_lines(f"a{character}b") == ("a\nb" if character == "\n" else f"a{REPLACEMENT}b")
    assert sentence(f"a{character}b") in ("a b", f"a{REPLACEMENT}b")


def test_foreign_text_is_kept() -> None:
    assert printable(HARMLESS) == HARMLESS


def test_every_character_of_unicode_is_kept_or_replaced_by_one() -> None:
    for number in range(sys.maxunicode + 1):
        shown = printable(chr(number))
        assert shown in (chr(number), REPLACEMENT)
        if unicodedata.category(chr(number)) in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"):
            assert shown == REPLACEMENT


@given(st.text(st.characters()))
def test_what_is_shown_can_be_written_and_is_shown_again_as_it_is(text: str) -> None:
    shown = printable(text)
    assert shown.encode().decode() == shown
    assert len(shown) == len(text)
    assert printable(shown) == shown
    assert len(shown.splitlines()) <= 1


@given(st.text(min_size=8), st.text(), st.text())
def test_a_long_secret_is_never_shown(secret: str, before: str, after: str) -> None:
    assert secret not in Redaction([secret])(f"{before}{secret}{after}") or secret in f"***{before}{after}***"


def test_credentials_of_any_url_are_stars() -> None:
    said = Redaction([])("a proxy http://me:pass%20word@proxy:1/x, and redis://:p:w@host")
    assert said == "a proxy http://***@proxy:1/x, and redis://***@host"
