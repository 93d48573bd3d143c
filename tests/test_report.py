"""The report: right figures, on a page that asks for nothing, fits a phone and can be read by everybody."""

import json
import re
import subprocess
import sys
from datetime import date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple
from xml.etree.ElementTree import Element

import html5lib
import pytest

from otcpipe import report, services
from otcpipe.cli import report as cli
from otcpipe.errors import Invalid
from otcpipe.records import ATTRIBUTION, TIERS, Partition
from otcpipe.report import charts, shown
from otcpipe.stack import Supervisor
from otcpipe.weeks import due_at
from tests.conftest import place
from tests.pipeline import NOON, WEEK, api_text, drive, file_text, observe
from tests.test_export import stored

ROOT = Path(__file__).parent.parent
FIRST, WEEKS, WEEKLY = date(2026, 3, 6), 4, timedelta(days=7)
LAST = FIRST + (WEEKS - 1) * WEEKLY
SVG = "{http://www.w3.org/2000/svg}"
HOSTILE = "<script>window.injected=1</script>"
NOW = datetime.fromisoformat("2026-06-01T12:00:00+00:00")
SECTIONS = ("glance", "coverage", "split", "venues", "moves", "concentration", "restated", "largest", "method")


class Page(NamedTuple):
    file: Path
    text: str
    tree: Element
    totals: dict[str, Any]


def rows(week: int, tier: str) -> list[dict[str, object]]:
    """Six symbols at three ATSs and two firms; one grows, one shrinks, one is called what no symbol should be."""
    found: list[dict[str, object]] = []
    for number, symbol in enumerate(("AAA", "BRK.B", "NA", "UP", "DOWN", HOSTILE)):
        size = {"UP": 100 * (week + 1), "DOWN": 900 - 100 * week}.get(symbol, 500 + number)
        common = {"issueSymbolIdentifier": symbol, "issueName": f"{symbol} & Sons", "totalWeeklyTradeCount": 700}
        for share, mpid in enumerate(("AAAA", "BBBB", "CCCC"), week % 2 + 1):
            pool = {"MPID": mpid, "marketParticipantName": f"{mpid} {HOSTILE}"}
            found.append(common | pool | {"totalWeeklyShareQuantity": size * share})
        for crd, name in ((1, "FIRM ONE"), (0, "De Minimis Firms")):
            firm = {"MPID": "", "firmCRDNumber": crd, "marketParticipantName": name}
            kind = {"summaryTypeCode": "OTC_W_SMBL_FIRM", "totalWeeklyShareQuantity": 2 * size}
            found.append(common | firm | kind)
    return [row | {"tierIdentifier": tier} for row in found]


def made(file: Path, week: date | None = None) -> Page:
    told, text = report.make(services.warehouse(), week, NOW)
    file.write_text(text, encoding="utf-8")
    scope = stored("select distinct scope from otc.symbol_summary where week_ending = %s order by 1", told)[0][
        "scope"
    ]
    query = "select sum(total_volume) as volume from otc.symbol_summary where week_ending = %s and scope = %s"
    tree = html5lib.HTMLParser(strict=True, namespaceHTMLElements=False).parse(text)
    return Page(file, text, tree, stored(query, told, scope)[0] | {"week": told})


@pytest.fixture(scope="module")
def pages(servers: Supervisor, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Page]:
    """Of four whole weeks, the last of them restated; of a first week, of files and of one tier."""
    folder = tmp_path_factory.mktemp("pages")
    found = {}
    with place(servers, folder / "whole"):
        partitions = [(number, Partition(FIRST + number * WEEKLY, tier)) for number in range(WEEKS) for tier in TIERS]
        drive(
            *[
                observe(api_text(rows(number, one.tier), one), one, due_at(one.week_ending, one.tier), "all")
                for number, one in partitions
            ]
        )
        restated = {"totalWeeklyShareQuantity": 12_345_678}
        last = [
            row | (restated if (row["issueSymbolIdentifier"], row["MPID"]) == ("AAA", "AAAA") else {})
            for row in rows(WEEKS - 1, "T1")
        ]
        partition = Partition(LAST, "T1")
        drive(observe(api_text(last, partition), partition, NOW - timedelta(days=1), "all"))
        found["whole"] = made(folder / "whole.html")
    with place(servers, folder / "partial"):
        drive(observe(file_text([("ABC", "AAAA", 10, 1)]), Partition(WEEK, "OTCE"), NOON))
        found["partial"] = made(folder / "partial.html")
    return found


def words(page: Page, section: str) -> str:
    """The text of a section, without markup."""
    found = next(one for one in page.tree.iter("section") if one.get("id") == section)
    return " ".join(" ".join(found.itertext()).split())


def test_the_figures_are_those_of_the_tables(pages: dict[str, Page]) -> None:
    page = pages["whole"]
    assert page.totals["week"] == LAST
    assert f"Shares {shown.compact(page.totals['volume'])}".replace("\N{NO-BREAK SPACE}", " ") in words(
        page, "glance"
    )
    assert "Symbols 6" in words(page, "glance")
    assert len([bar for bar in page.tree.iter(f"{SVG}rect") if bar.get("width") == "7"]) == 2 * WEEKS
    assert "UP" in words(page, "moves").split("Below the mean")[0]
    assert "DOWN" in words(page, "moves").split("Below the mean")[1]
    assert "1 record changed since the first capture: 1 restated, 0 added, 0 withdrawn." in words(page, "restated")
    assert "12,345,678" in words(page, "restated")
    assert "1 AAAA" in words(page, "venues").replace("▲ up 2 ", "")
    assert "NMS Tier 1 ATS and non-ATS" in words(page, "coverage")


def test_what_is_not_there_is_said_in_a_sentence(pages: dict[str, Page]) -> None:
    page = pages["partial"]
    said = {
        "glance": "No week before this one is loaded with the same tiers",
        "split": "The captures of this week cover ATS volume only",
        "venues": "The week before is not loaded, so ranks have no change",
        "moves": "No liquid symbol has 4 weeks of records yet",
        "concentration": "No symbol had 1,000 trades this week",
        "restated": "No record of this week has changed",
        "coverage": "published, not loaded",
    }
    for section, sentence in said.items():
        assert sentence in words(page, section)
        assert sentence == said["coverage"] or sentence not in pages["whole"].text
    assert "Only OTC, ATS volume" in page.text


@pytest.mark.parametrize("name", ["whole", "partial"])
def test_the_page_asks_for_nothing_and_names_its_source(name: str, pages: dict[str, Page]) -> None:
    page = pages[name]
    assert not re.search(r"https?:|url\(|@import|<script", page.text)
    for element in page.tree.iter():
        assert element.tag not in ("script", "link", "img", "iframe", "object", "form")
        assert not [attribute for attribute in element.attrib if attribute.startswith("on") or attribute == "src"]
        assert element.get("href", "#").startswith("#")
    assert ATTRIBUTION.replace("&", "&amp;") in page.text
    assert len(page.text) < 3_000_000


@pytest.mark.parametrize("name", ["whole", "partial"])
def test_a_screen_reader_finds_its_way(name: str, pages: dict[str, Page]) -> None:
    tree = pages[name].tree
    root = tree if tree.tag == "html" else next(tree.iter("html"))
    assert root.get("lang") == "en"
    levels = [int(element.tag[1]) for element in tree.iter() if re.fullmatch("h[1-6]", str(element.tag))]
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    identities = [identity for element in tree.iter() if (identity := element.get("id"))]
    assert len(identities) == len(set(identities))
    assert {f"#{section}" for section in SECTIONS} == {element.get("href") for element in tree.iter("a")} - {"#main"}
    assert {*SECTIONS, "main"} <= set(identities)
    for table in tree.iter("table"):
        assert table.find("caption") is not None
        assert all(cell.get("scope") in ("row", "col") for cell in table.iter("th"))
    drawings = list(tree.iter(f"{SVG}svg"))
    for drawing in drawings:
        assert drawing.get("aria-hidden") == "true" or (
            drawing.get("role") == "img"
            and all(drawing.find(f"{SVG}{name}") is not None for name in ("title", "desc"))
        )
    assert drawings


def test_names_from_finra_are_text(pages: dict[str, Page]) -> None:
    assert HOSTILE in words(pages["whole"], "largest")
    assert HOSTILE in words(pages["whole"], "venues")
    assert shown.plain("A\x1b[31m\x00B") == "A\N{REPLACEMENT CHARACTER}[31m\N{REPLACEMENT CHARACTER}B"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_real_browser_shows_it_on_a_desk_and_on_a_phone(
    scheme: str, pages: dict[str, Page], tmp_path: Path
) -> None:
    """Nothing is asked for, nothing sticks out sideways, every text has the contrast that WCAG AA wants."""
    command = [sys.executable, "-m", "tests.browser", str(pages["whole"].file), str(tmp_path), scheme, "1280", "390"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr
    looks = json.loads(done.stdout)
    assert [look["width"] for look in looks] == [1280, 390]
    for look in looks:
        assert look["requests"] == [pages["whole"].file.as_uri()]
        assert look["content"] <= look["width"]
        assert look["faint"] == []
        assert look["injected"] == "undefined"
        assert min(look["texts"], look["drawn"]) > 50
        assert (look["page"] == "rgb(18, 21, 27)") == (scheme == "dark")
    assert all(picture.stat().st_size > 10_000 for picture in tmp_path.glob("*.png"))


def test_a_week_that_is_not_there_is_an_error(environment: dict[str, str]) -> None:
    with pytest.raises(Invalid, match="Nothing is loaded"):
        report.make(services.warehouse(), None, NOW)
    with pytest.raises(Invalid, match="The week ending 2025-11-14 is not loaded"):
        report.make(services.warehouse(), WEEK, NOW)


def test_the_command_writes_one_file(
    environment: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    drive(observe(file_text([("ABC", "AAAA", 10, 1)]), Partition(WEEK, "OTCE"), NOON))
    monkeypatch.chdir(tmp_path)
    cli.report("2025-11-12", None)
    assert "The week ending 2025-11-14 is in otc-week-2025-11-14.html" in capsys.readouterr().out
    assert [path.name for path in tmp_path.glob("*.html")] == ["otc-week-2025-11-14.html"]
    assert not list(tmp_path.glob(".*.part"))


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0"),
        (999, "999"),
        (999_499, "999 k"),
        (999_500, "1.00 m"),
        (1_323_874_760, "1.32 bn"),
        (Decimal(32161583000), "32.2 bn"),
        (-1234, "-1.23 k"),
    ],
)
def test_large_numbers_have_three_figures(number: Decimal | int, text: str) -> None:
    assert shown.compact(number).replace("\N{NO-BREAK SPACE}", " ") == text


def test_changes_have_a_sign_unless_nothing_changed() -> None:
    shown_as = [shown.change(Decimal(text)) for text in ("1.25", "-0.96", "0.04", "-0.04")]
    assert [text.replace("\N{NO-BREAK SPACE}", " ") for text in shown_as] == [
        "+1.2 %",
        f"{shown.MINUS}1.0 %",
        "0.0 %",
        "0.0 %",
    ]


def test_a_sparkline_breaks_where_a_week_lacks() -> None:
    drawn = charts.spark([1, None, 2, 2])
    assert drawn == {"path": "M3.0 14.0M79.0 3.0L117.0 3.0", "last": ("117.0", "3.0")}
    assert charts.spark([None, None]) == {"path": "", "last": None}
    assert charts.ticks(32_000_000_000) == [10e9, 20e9, 30e9]
    assert charts.part(1, 0) == "0"
