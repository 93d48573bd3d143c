"""The pages in a real browser: a reader's way through them, at four widths, light and dark, and by keyboard."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.web.conftest import WEEK, Site

ROOT = Path(__file__).parents[2]
PAGES = ("/", "/symbol/AAPL", "/venues?scope=ALL", "/venue/AAAA", "/coverage", "/operations", f"/proof/{WEEK}/AAPL")
MORE = (f"/partition/{WEEK}/T1", f"/restatements?week={WEEK}", "/programs", "/symbols?q=a")


def visited(site: Site, folder: Path, scheme: str, *paths: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "tests.support.visitor", site.origin, str(folder), scheme, *paths]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=160, check=False)
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


@pytest.fixture(scope="module")
def light(site: Site, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return visited(site, tmp_path_factory.mktemp("light"), "light", *PAGES, *MORE)


@pytest.mark.parametrize("path", [*PAGES, *MORE])
def test_axe_finds_nothing(path: str, light: dict[str, Any]) -> None:
    assert light["pages"][path]["axe"] == []


@pytest.mark.parametrize("path", [*PAGES, *MORE])
def test_a_page_fits_every_width_and_every_text_can_be_read(path: str, light: dict[str, Any]) -> None:
    looks = light["pages"][path]["looks"]
    assert [look["width"] for look in looks] == [390, 768, 1280, 1920]
    assert [look for look in looks if look["content"] > look["width"] or look["faint"]] == []
    assert {look["injected"] for look in looks} == {"undefined"}


def test_every_text_can_be_read_in_the_dark(site: Site, tmp_path: Path) -> None:
    seen = visited(site, tmp_path, "dark", *PAGES[:3])
    for page in seen["pages"].values():
        assert [look["faint"] for look in page["looks"]] == [[]] * 4


def test_a_reader_finds_a_symbol_by_typing_and_opens_what_was_known_and_its_proof(light: dict[str, Any]) -> None:
    assert light["suggested"].split(",")[0] == "AAPL"
    assert light["found"] == "/symbol/AAPL"
    assert (light["before"], light["now"]) == ("1.20\N{NO-BREAK SPACE}k", "2.70\N{NO-BREAK SPACE}k")
    assert "as_of=2025-12-16" in light["address"]
    assert light["proof"] == "Proof of AAPL"


def test_the_keyboard_leads_to_the_figures_then_through_the_pages(light: dict[str, Any]) -> None:
    assert light["walked"] == ["To the figures", "otcpipe", "Week", "Ranking"]
