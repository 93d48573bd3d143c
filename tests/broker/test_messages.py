"""Any bytes and any JSON: a message, or Invalid, and nothing else."""

import json
from contextlib import suppress
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otcpipe.broker import messages
from otcpipe.errors import Invalid
from otcpipe.pipeline import dead_letters
from otcpipe.pipeline.failures import Failure
from tests.support.forged import FIELDS, OPTIONS

SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
VALUES: st.SearchStrategy[Any] = st.recursive(
    SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=10
)
GOOD = {
    "queue_name": "parse",
    "actor_name": "parse_file",
    "args": ["a key"],
    "kwargs": {},
    "options": {"redis_message_id": "one"},
    "message_id": "an id",
    "message_timestamp": 1_700_000_000_000,
}


def body(fields: object) -> bytes:
    return json.dumps(fields).encode()


@given(st.binary() | VALUES.map(body))
def test_any_bytes_are_invalid_or_a_message(content: bytes) -> None:
    with suppress(Invalid):
        messages.decode(content)
    messages.peek(content)
    Failure.from_json(content)


@given(st.sampled_from([*FIELDS]), VALUES)
def test_a_field_of_any_value_is_invalid_or_kept(name: str, value: Any) -> None:
    fields = GOOD | {name: value}
    with suppress(Invalid):
        found = messages.decode(body(fields))
        assert json.loads(found.encode()) == fields


@given(st.sampled_from([*OPTIONS]), VALUES)
def test_an_option_of_any_value_is_invalid_or_kept(name: str, value: Any) -> None:
    with suppress(Invalid):
        found = messages.decode(body(GOOD | {"options": {name: value}}))
        assert found.options == {name: value}
        assert type(found.options[name]) is type(value)


@given(VALUES)
def test_the_sentence_of_an_invalid_message_is_short_and_plain(value: Any) -> None:
    for name in FIELDS:
        try:
            messages.decode(body(GOOD | {name: value}))
        except Invalid as error:
            text = str(error)
            assert text.isascii() and text.isprintable() and len(text) < 300


@pytest.mark.parametrize("milliseconds", [float("nan"), float("inf"), 1e300, -1e300, 2**63, 253_402_300_800_000])
def test_a_moment_outside_of_the_calendar_is_none(milliseconds: float) -> None:
    assert dead_letters.moment(milliseconds) is None
    found = dead_letters.moment(0)
    assert found is not None and found.date() == date(1970, 1, 1)
