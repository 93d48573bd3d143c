"""What `top --by unusual` says."""

import json
import subprocess
from collections.abc import Callable

import pytest

from otcpipe import resources
from tests.metrics.generate import covered
from tests.metrics.load import load
from tests.metrics.test_symbol_unusual import WEEKS, weekly

Here = Callable[..., "subprocess.CompletedProcess[str]"]
PAST = dict(zip(range(13), [90, 110, 100] * 4 + [100], strict=True))
RECORDS = [
    *weekly("JUMP", PAST | {13: 400}),
    *weekly("SLUMP", PAST | {13: 3}),
    *weekly("SMALL", {number: size / 100 for number, size in (PAST | {13: 9000}).items()}),
    *weekly("YOUNG", dict.fromkeys(range(7, 14), 1000)),
]


@pytest.fixture(autouse=True)
def market(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTCPIPE_NOW", "2026-11-20T12:00:00Z")
    load(covered(RECORDS, {(one.week_ending, one.tier): "all" for one in RECORDS}))


def test_symbols_are_ranked_by_distance_up_or_down_above_a_floor_of_liquidity(here: Here) -> None:
    def ranked(*more: object) -> list[str]:
        found = json.loads(here("top", "--by", "unusual", "--floor", *more, "--json").stdout)
        return [row["symbol"] for row in found]

    assert ranked(0) == ["SMALL", "JUMP", "SLUMP"]
    assert ranked(2) == ranked(2, "--tier", "T1") == ["JUMP", "SLUMP"]
    assert ranked(2, "--limit", 1) == ["JUMP"]
    refused = here("top", "--by", "unusual", "--tier", "T2", "--week", WEEKS[13])
    assert (refused.returncode, refused.stdout) == (2, "")


def test_it_says_what_the_week_is_compared_with(here: Here) -> None:
    found = here("top", "--by", "unusual", "--floor", 2).stdout
    assert f"Week ending {WEEKS[13]}, published: T1 2025" in found
    assert "against the 13 weeks before: the first 2 symbols, up or down, of those with a median of 2 shares" in found
    assert "may change" not in found
    assert "has 8 weeks with records among the 13 before" in here("top", "--by", "unusual").stdout


def test_a_week_that_must_wait_is_marked(here: Here) -> None:
    with resources.database().transaction() as transaction:
        transaction.connection.execute(
            "insert into otc_internal.metric_due values (%s, 'symbol_summary')", [WEEKS[0]]
        )
        transaction.connection.execute(
            "insert into otc_internal.deferred_week values (%s, 'symbol_unusual')", [WEEKS[13]]
        )
    assert "is still to be completed: the numbers may change." in here("top", "--by", "unusual", "--floor", 2).stdout


def test_a_floor_of_another_order_is_refused(here: Here) -> None:
    found = here("top", "--floor", 5)
    assert (found.returncode, found.stderr.strip()) == (2, "otcpipe: A floor goes with the order unusual only.")
