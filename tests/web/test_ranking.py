"""The ranking of unusual symbols is that of the command line, on its page and in the API."""

import json
import re
import subprocess
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal

import pytest

from tests.cli.test_unusual import RECORDS
from tests.metrics.generate import covered
from tests.metrics.load import load
from tests.web.conftest import serving_here

Here = Callable[..., "subprocess.CompletedProcess[str]"]
PRICES = {"JUMP": Decimal(100), "SMALL": Decimal(1)}  # the dollars of others are not known
SYMBOLS = ["SMALL", "JUMP", "SLUMP"]


@pytest.fixture(autouse=True)
def market(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTCPIPE_NOW", "2026-11-20T12:00:00Z")
    records = [
        replace(one, notional=one.share_volume * PRICES[one.symbol]) if one.symbol in PRICES else one
        for one in RECORDS
    ]
    load(covered(records, {(one.week_ending, one.tier): "all" for one in records}))


def test_the_api_and_the_page_rank_unusual_symbols_as_the_command_does(here: Here) -> None:
    printed = json.loads(here("top", "--by", "unusual", "--floor", 0, "--json").stdout)
    with serving_here() as (_, get):
        api = get("/api/v1/top?by=unusual&floor=0&exact=1").json()
        page = get("/top?by=unusual&floor=0").text
        assert api == printed
        assert [row["symbol"] for row in api] == SYMBOLS
        assert re.findall(r'href="/symbol/(\w+)', page) == SYMBOLS
        assert [row["symbol"] for row in get("/api/v1/top?by=unusual&floor=2").json()] == SYMBOLS[1:]
        assert get("/api/v1/top?by=unusual").json() == []
        assert "No symbol is ranked" in get("/top?by=unusual").text


def test_a_floor_of_dollars_leaves_out_what_is_traded_for_less(here: Here) -> None:
    def ranked(dollars: int) -> list[str]:
        found = here("top", "--by", "unusual", "--floor", 0, "--floor-notional", dollars, "--json").stdout
        return [row["symbol"] for row in json.loads(found)]

    assert (ranked(0), ranked(500), ranked(500_000)) == (["SMALL", "JUMP"], ["JUMP"], [])
    said = here("top", "--by", "unusual", "--floor", 0, "--floor-notional", 1500).stdout
    assert "of those with a median of 0 shares a trading day or more and $1,500 a trading day or more" in said
    with serving_here() as (_, get):
        found = get("/api/v1/top?by=unusual&floor=0&floor_notional=500").json()
        assert [row["symbol"] for row in found] == ["JUMP"]
