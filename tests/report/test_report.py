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
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from otcpipe import report, resources
from otcpipe.cli import report as cli
from otcpipe.datasets import TIERS
from otcpipe.errors import Invalid
from otcpipe.pipeline.volumes.imports import MARKET
from otcpipe.records import ATTRIBUTION, Partition
from otcpipe.report import charts, formatting
from otcpipe.stack import Supervisor
from otcpipe.weeks import due_at
from tests.conftest import place
from tests.export.test_export import stored
from tests.metrics.test_market_share import computed
from tests.pipeline.volumes.samples import market_file, traded
from tests.pipeline.volumes.test_imports import put
from tests.support.pipeline import NOON, WEEK, api_text, drive, file_text, observe

ROOT = Path(__file__).parents[2]
FIRST, WEEKS, WEEKLY = date(2026, 3, 6), 4, timedelta(days=7)
LAST = FIRST + (WEEKS - 1) * WEEKLY
SVG = "{http://www.w3.org/2000/svg}"
HOSTILE = "<script>window.injected=1</script>"
NOW = datetime.fromisoformat("2026-06-01T12:00:00+00:00")
SECTIONS = (
    "glance",
    "coverage",
    "split",
    "venues",
    "gains",
    "moves",
    "unusual",
    "concentration",
    "restated",
    "largest",
    "method",
)


QUANTITIES = st.one_of(
    st.just(Decimal(0)),
    st.decimals(Decimal("0.000001"), 1, places=6),
    st.decimals(0, 10**14, places=6),
    st.builds(lambda figure, power: Decimal(figure).scaleb(power), st.integers(1, 9999), st.integers(-6, 14)),
)
FIRMS = (("AAAA", "", "A POOL"), ("BBBB", "", "B POOL"), ("", 1, "FIRM ONE"), ("", 0, "De Minimis Firms"))
ROW = st.tuples(st.sampled_from(FIRMS), QUANTITIES.map(lambda number: min(number, 10**12)), st.integers(0, 10**11))
SYMBOLS = st.dictionaries(
    st.sampled_from(["", "A", "BRK.B", "ZZZZZ"]),
    st.lists(ROW, min_size=1, max_size=4, unique_by=lambda row: row[0]),
    min_size=1,
    max_size=3,
)


def any_rows(symbols: dict[str, list[tuple[Any, ...]]], tier: str) -> list[dict[str, object]]:
    """The API's rows of each symbol's firms, shares and trades."""
    return [
        {
            "tierIdentifier": tier,
            "issueSymbolIdentifier": symbol,
            "MPID": mpid,
            "firmCRDNumber": crd,
            "marketParticipantName": name,
            "summaryTypeCode": "ATS_W_SMBL_FIRM" if mpid else "OTC_W_SMBL_FIRM",
            "totalWeeklyShareQuantity": f"{shares:f}",
            "totalWeeklyTradeCount": trades,
        }
        for symbol, firms in symbols.items()
        for (mpid, crd, name), shares, trades in firms
    ]


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
    made_week, text = report.make(resources.database(), week, NOW)
    file.write_text(text, encoding="utf-8")
    scope = stored("select distinct scope from otc.symbol_summary where week_ending = %s order by 1", made_week)[0][
        "scope"
    ]
    query = "select sum(total_volume) as volume from otc.symbol_summary where week_ending = %s and scope = %s"
    tree = html5lib.HTMLParser(strict=True, namespaceHTMLElements=False).parse(text)
    market = stored("select * from otc.market_share where week_ending = %s and tape = 'ALL'", made_week)
    return Page(file, text, tree, stored(query, made_week, scope)[0] | {"week": made_week, "market": market})


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
        put(MARKET, market_file(traded(LAST - timedelta(days=4), LAST)), 150)
        computed()
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
    assert f"Shares {formatting.compact(page.totals['volume'])}".replace("\N{NO-BREAK SPACE}", " ") in words(
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
    tile = f"Off-exchange share of all trading {page.totals['market'][0]['off_exchange_share_pct']:.1f}"
    assert tile in words(page, "glance").replace("\N{NO-BREAK SPACE}", " ")


def test_gains_are_against_the_week_before(pages: dict[str, Page]) -> None:
    said = words(pages["whole"], "gains")
    gained, lost = said.split("Gained", 1)[1].split("Lost")[:2]
    assert "NA AAAA 22.2 % +555.6" in gained.replace("\N{NO-BREAK SPACE}", " ")
    assert "CCCC" in lost
    assert "CCCC" not in gained
    assert "in percent; darker is more" in said
    assert "No ATS came, left or was renamed" in said
    assert "Cboe Exchange, Inc." in pages["whole"].text
    assert "Cboe" not in pages["partial"].text


def test_what_is_missing_is_said_in_a_sentence(pages: dict[str, Page]) -> None:
    page = pages["partial"]
    said = {
        "glance": "No week before this one is loaded with the same tiers",
        "split": "The captures of this week cover ATS volume only",
        "venues": "The week before is not loaded, so changes of rank are unknown",
        "gains": "The week before is not loaded with the same tiers",
        "moves": "No liquid symbol has 4 weeks of records yet",
        "unusual": "No liquid symbol has 8 weeks of records among the 13 before",
        "concentration": "No symbol had 1,000 trades this week",
        "restated": "No record of this week has changed",
        "coverage": "published, not loaded",
    }
    for section, sentence in said.items():
        assert sentence in words(page, section)
        assert section in ("coverage", "unusual") or sentence not in pages["whole"].text
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
    assert formatting.plain("A\x1b[31m\x00B") == "A\N{REPLACEMENT CHARACTER}[31m\N{REPLACEMENT CHARACTER}B"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_real_browser_shows_it_on_a_desk_and_on_a_phone(
    scheme: str, pages: dict[str, Page], tmp_path: Path
) -> None:
    """Nothing is asked for, nothing sticks out sideways, every text has the contrast that WCAG AA wants."""
    command = [
        sys.executable,
        "-m",
        "tests.support.browser",
        str(pages["whole"].file),
        str(tmp_path),
        scheme,
        "1280",
        "390",
    ]
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


def test_the_map_of_coverage_has_the_tiers_that_are_wanted_or_loaded(environment: dict[str, str]) -> None:
    drive(observe(file_text([("A", "AAAA", 1, 1)]), Partition(WEEK, "OTCE")))
    for tiers, absent in ((["OTCE"], {"NMS Tier 1", "NMS Tier 2"}), (["T1"], {"NMS Tier 2"}), (["T1", "T2"], set())):
        _, text = report.make(resources.database(), None, NOW, tiers=tiers)
        section = text.partition('id="coverage"')[2].partition("</section>")[0]
        assert {name for name in TIERS.values() if f">{name}<" not in section} == absent


def test_a_week_that_is_not_loaded_is_an_error(environment: dict[str, str]) -> None:
    with pytest.raises(Invalid, match="Nothing is loaded"):
        report.make(resources.database(), None, NOW)
    with pytest.raises(Invalid, match="The week ending 2025-11-14 is not loaded"):
        report.make(resources.database(), WEEK, NOW)


def test_the_command_writes_one_file(
    environment: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    drive(observe(file_text([("ABC", "AAAA", 10, 1)]), Partition(WEEK, "OTCE"), NOON))
    monkeypatch.chdir(tmp_path)
    cli.report("2025-11-12", None, None)
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
    assert formatting.compact(number).replace("\N{NO-BREAK SPACE}", " ") == text


def test_changes_have_a_sign_unless_nothing_changed() -> None:
    shown_as = [formatting.change(Decimal(text)) for text in ("1.25", "-0.96", "0.04", "-0.04")]
    assert [text.replace("\N{NO-BREAK SPACE}", " ") for text in shown_as] == [
        "+1.2 %",
        f"{formatting.MINUS}1.0 %",
        "0.0 %",
        "0.0 %",
    ]


def test_a_sparkline_breaks_where_a_week_lacks() -> None:
    drawn = charts.spark([1, None, 2, 2])
    assert drawn == {"path": "M3.0 14.0M79.0 3.0L117.0 3.0", "last": ("117.0", "3.0")}
    assert charts.spark([None, None]) == {"path": "", "last": None}
    assert charts.ticks(32_000_000_000) == [10e9, 20e9, 30e9]
    assert charts.ticks(82_000_000_000) == [25e9, 50e9, 75e9]
    assert charts.ticks(0) == []
    assert charts.part(1, 0) == "0"


@given(QUANTITIES)
def test_an_axis_ends_in_a_step_that_no_value_exceeds(largest: Decimal) -> None:
    top = charts.ceiling(largest)
    assert top >= largest
    assert charts.ticks(top)[-1] == top
    assert not largest or float(largest) >= 0.49 * float(top)


@given(QUANTITIES)
def test_an_axis_has_two_to_four_steps_at_any_magnitude(top: Decimal) -> None:
    steps = charts.ticks(top)
    if not top:
        assert steps == []
        return
    assert 2 <= len(steps) <= 4
    assert steps[-1] <= top < steps[-1] + steps[0]
    assert all(after - before == steps[0] for before, after in pairwise(steps))
    labels = [formatting.rounded(step) for step in steps]
    assert len({*labels, "0"}) == len(steps) + 1


@given(st.lists(st.none() | QUANTITIES, max_size=14))
def test_a_sparkline_stays_inside_its_box_at_any_magnitude(values: list[Decimal | None]) -> None:
    drawn = charts.spark(values)
    points = re.findall(r"[ML]([-\d.]+) ([-\d.]+)", str(drawn["path"]))
    assert len(points) == sum(value is not None for value in values)
    assert all(0 <= float(x) <= charts.WIDTH and 0 <= float(y) <= charts.HEIGHT for x, y in points)
    assert (drawn["last"] is None) == (not values or values[-1] is None)


@given(QUANTITIES, QUANTITIES)
def test_a_part_of_a_whole_is_a_length_from_0_to_100(one: Decimal, other: Decimal) -> None:
    assert 0 <= float(charts.part(min(one, other), max(one, other))) <= 100


@given(QUANTITIES)
def test_a_number_is_shown_within_half_of_its_third_figure(number: Decimal) -> None:
    figure, _, unit = formatting.compact(number).partition("\N{NO-BREAK SPACE}")
    size = dict({unit: size for size, unit in formatting.UNITS}, **{"": 1})[unit]
    assert abs(Decimal(figure.replace(",", "")) * size - number) * 200 <= number
    digits = figure.replace(",", "").replace(".", "").lstrip("0")
    assert len(digits) <= 3 or number >= 10**15
    assert Decimal(formatting.exact(number).replace(",", "")) == number


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**30), max_value=10**30), st.integers(0, 2))
def test_a_change_of_any_size_is_shown_with_its_sign(value: Decimal, places: int) -> None:
    text = formatting.change(value, places)
    assert text.endswith("\N{NO-BREAK SPACE}%")
    is_nothing = not text.strip("+0.\N{NO-BREAK SPACE}%" + formatting.MINUS)
    assert text[0] == ("0" if is_nothing else "+" if value > 0 else formatting.MINUS)
    assert "-" not in text
    assert formatting.percent(value, places).lstrip(formatting.MINUS) == text.lstrip("+" + formatting.MINUS)


@settings(
    max_examples=12, deadline=None, database=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck)
)
@given(data=st.data())
def test_a_page_is_made_of_any_quantities(environment: dict[str, str], data: st.DataObject) -> None:
    """Each example adds the next week, of any tiers and rows, to those before it, and renders all its page."""
    loaded = stored("select max(week_ending) as week from otc.capture")[0]["week"]
    week = FIRST if loaded is None else loaded + WEEKLY
    for tier in data.draw(st.sets(st.sampled_from(list(TIERS)), min_size=1)):
        partition, made_of = Partition(week, tier), data.draw(SYMBOLS)
        drive(observe(api_text(any_rows(made_of, tier), partition), partition, due_at(week, tier), "all"))
        changed = data.draw(st.none() | SYMBOLS)
        if changed:
            drive(observe(api_text(any_rows(changed, tier), partition), partition, NOW - timedelta(days=1), "all"))
    made_week, text = report.make(resources.database(), week, NOW)
    assert made_week == week
    tree = html5lib.HTMLParser(strict=True, namespaceHTMLElements=False).parse(text)
    assert not {"None", "nan", "inf", "NaN", "Infinity"} & set(" ".join(tree.itertext()).split())
    for drawn in tree.iter(f"{SVG}rect"):
        assert 0 <= float(drawn.get("width", "0")) <= 10_000
        assert 0 <= float(drawn.get("height", "0")) <= 100


def test_a_gain_has_one_sign() -> None:
    written = {5_340_000: "+5.34 m", -5_340_000: "\N{MINUS SIGN}5.34 m", 0: "0", -12: "\N{MINUS SIGN}12"}
    for number, text in written.items():
        assert formatting.gain(number).replace("\N{NO-BREAK SPACE}", " ") == text
