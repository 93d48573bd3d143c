"""What is unusual about a symbol, on its page and in `show`."""

import json
import subprocess
from collections.abc import Callable, Iterator
from datetime import timedelta
from fractions import Fraction

import pytest

from otcpipe import resources
from otcpipe.metrics import completion
from otcpipe.pipeline.volumes.imports import CONSOLIDATED, SPLITS
from otcpipe.stack import Supervisor
from tests.metrics.examples import firm, told
from tests.metrics.load import load
from tests.metrics.test_market_share import computed
from tests.metrics.test_symbol_split import AT, WEEKS, priced, split
from tests.pipeline.volumes.samples import sessions, split_file, volume_file
from tests.pipeline.volumes.test_imports import put
from tests.web.conftest import Site, running

DAY = WEEKS[AT] - timedelta(days=4)


def split_symbol() -> None:
    """Load a symbol that split, with the given ratio, another venue at the end, and volume of all trading."""
    week = WEEKS[15]
    records = priced("FOUR", split(Fraction(4)))
    load(told([*records, firm("FOUR", 100, week_ending=week)], {(one, "T1"): "all" for one in WEEKS}))
    put(SPLITS, split_file([("FOUR", DAY, "4:1", "2025-02-01")]), 25)
    days = sessions(week - timedelta(days=4), week)
    put(CONSOLIDATED, volume_file([("FOUR", day, 10_000) for day in days]), 25, "a vendor")
    computed()
    completion.complete(resources.database())


@pytest.fixture(scope="module")
def page(servers: Supervisor, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with running(servers, tmp_path_factory.mktemp("home"), split_symbol) as found:
        yield found


@pytest.mark.parametrize("as_of", ["", "2026-01-05"])
def test_the_page_of_a_symbol_shows_unusual_weeks_splits_and_its_share_of_all_trading(page: Site, as_of: str) -> None:
    text = page.get(f"/symbol/FOUR?as_of={as_of}&weeks=13").text
    for words in ("Against its own past", "Why the concentration changed", "Splits</h2>", "Share of all trading"):
        assert words in text
    assert f"<td>given</td><td>{DAY}</td>" in text
    assert "a vendor" in text


@pytest.mark.usefixtures("environment")
def test_show_has_the_same_now_and_as_known_later(here: Callable[..., "subprocess.CompletedProcess[str]"]) -> None:
    split_symbol()
    later = {"OTCPIPE_NOW": "2026-01-10T12:00:00Z"}
    text = here("show", "FOUR", **later).stdout
    for words in ("Against the 13 weeks before; unusual", "Why the concentration changed", "Splits, which", "given"):
        assert words in text
    now, known = (
        json.loads(here("show", "FOUR", "--json", *more, **later).stdout)[0]
        for more in ((), ("--as-of", "2026-01-05"))
    )
    assert now["signals"] == known["signals"]
    assert now["splits"] == known["splits"]
    assert now["splits"][0]["ratio"].startswith("4")
    newest = now["signals"][0]
    assert (newest["split_factor"][:2], newest["entries"]) == ("4.", 1)
