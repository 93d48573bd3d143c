"""The pages show the numbers, link each to its proof, and stay whole HTML whatever a name holds."""

import re
from pathlib import Path

import html5lib
import pytest

from otcpipe import report, resources
from otcpipe.cli.report import report as write_report
from otcpipe.errors import Invalid
from otcpipe.metrics import history
from tests.web.conftest import BEFORE, HOSTILE, WEEK, Site

PAGES = [
    "/",
    f"/?week={WEEK}",
    "/symbols?q=a",
    "/symbols?q=nothing",
    "/symbol/AAPL",
    "/symbol/AAPL?weeks=1040&scope=ATS&as_of=2025-12-16",
    "/symbol/A%2FB%20%3Ci%3E",
    "/symbol/AAPL?scope=NON_ATS",
    "/top",
    "/top?by=change&scope=ALL&as_of=2025-12-16",
    "/venues",
    "/venues?scope=ALL&as_of=2025-12-16&tier=T1",
    "/venue/AAAA",
    "/venue/CRD%207691",
    "/venue/7691",
    "/restatements",
    f"/restatements?week={WEEK}",
    "/restatements?symbol=AAPL",
    "/restatements?symbol=AAPL&as_of=2025-12-16",
    "/coverage",
    f"/partition/{WEEK}/T1",
    f"/proof/{WEEK}/AAPL",
    "/operations",
    "/operations?checks=true",
    "/programs",
    "/none",
]


@pytest.mark.parametrize("path", PAGES)
def test_a_page_is_strict_html_without_style_or_script_of_its_own(path: str, site: Site) -> None:
    found = site.get(path)
    assert found.status_code == (404 if path == "/none" else 200), found.text
    assert found.headers["Content-Type"] == "text/html; charset=utf-8"
    html5lib.HTMLParser(strict=True).parse(found.text)
    assert not re.search(r" style=|<style| on[a-z]+=|javascript:", found.text)
    assert re.findall(r"<script[^>]*>", found.text) == ['<script src="/static/search.js" defer>']
    assert HOSTILE not in found.text
    ids = re.findall(r' id="([^"]*)"', found.text)
    assert len(ids) == len({*ids})


@pytest.mark.parametrize("path", [path for path in PAGES if "nothing" not in path])
def test_every_link_of_a_page_leads_somewhere(path: str, site: Site) -> None:
    seen: set[str] = set()
    for target in re.findall(r' href="(/[^"]*)"', site.get(path).text):
        address = target.replace("&amp;", "&").partition("#")[0]
        if address not in seen and len(seen) < 40:
            seen.add(address)
            assert site.get(address, stream=True).status_code in (200, 304), address
    assert seen


def test_the_as_of_date_changes_the_whole_page(site: Site) -> None:
    before, after = (site.get(f"/symbol/AAPL?as_of={day}&scope=ATS").text for day in ("2025-12-16", "2025-12-21"))
    this_week = "14 November 2025: {}</title>"
    assert (this_week.format("1,100.5") in before, this_week.format("2,600") in before) == (True, False)
    assert (this_week.format("1,100.5") in after, this_week.format("2,600") in after) == (False, True)
    assert "No record of these weeks has changed" in before
    assert "as known before" in after


def test_a_number_leads_to_its_proof_in_stored_bytes(site: Site) -> None:
    page = site.get("/symbol/AAPL").text
    [address, *_] = re.findall(r'href="(/proof/[^"]+)"', page)
    proof = site.get(address).text
    assert "AAPL|Apple Inc" in proof
    assert re.search(r"SHA-256 [0-9a-f]{64}", proof)
    assert "sum of share_volume" in proof or "symbol_summary" in proof
    then = site.get(f"{address}?as_of=2025-12-16").text
    assert (then.count("2500|AAPL"), proof.count("2500|AAPL")) == (0, 1)
    assert then.count("1000.5|AAPL") == proof.count("1000.5|AAPL") + 1


def test_a_ticker_that_is_typed_leads_to_its_page_in_any_case(site: Site) -> None:
    found = site.get("/symbols?q=aapl", allow_redirects=False)
    assert (found.status_code, found.headers["Location"]) == (303, "/symbol/AAPL")
    assert "BRK.B" in site.get("/symbols?q=berk").text


def test_an_unknown_symbol_is_one_clear_sentence(site: Site) -> None:
    found = site.get("/symbol/APPL")
    assert found.status_code == 404
    assert "No symbol &#39;APPL&#39; is stored: did you mean AAPL?" in found.text


def test_a_page_is_kept_while_the_data_are_the_same(site: Site) -> None:
    first = site.get("/venues")
    again = site.get("/venues", headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.text) == (304, "")


def test_the_venues_known_at_a_moment_are_the_same_once_histories_are_built(site: Site) -> None:
    address = f"/api/v1/venues?week={WEEK}&scope=ALL&exact=1&as_of="
    days = ("2025-12-16", "2025-12-21")
    before = [site.get(address + day).json() for day in days]
    assert history.build(resources.database(), ["venue_share"], WEEK, WEEK)
    after = [site.get(f"{address}{day}&limit=999").json() for day in days]
    assert before == after
    assert before[0] != before[1]


@pytest.mark.parametrize(
    "path", ["/", "/operations", "/venue/AAAA", "/coverage", f"/partition/{WEEK}/T1", "/programs"]
)
def test_a_page_that_shows_only_what_is_known_now_refuses_a_moment(path: str, site: Site) -> None:
    found = site.get(f"{path}?as_of=2025-12-16")
    assert (found.status_code, "takes no as_of" in found.text) == (400, True)


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/?wek=2025-11-14", "No parameter &#39;wek&#39;: did you mean week?"),
        ("/venues?as_of=nonsense", "&#39;nonsense&#39;"),
        ("/restatements?as_of=nonsense", "&#39;nonsense&#39;"),
        ("/static/style.css?zzz=1", "No parameter &#39;zzz&#39;."),
        ("/venue/AAAA?weeks=0", "weeks must be at least 1, not &#39;0&#39;."),
    ],
)
def test_a_wrong_parameter_of_a_page_is_one_sentence(path: str, words: str, site: Site) -> None:
    found = site.get(path)
    assert (found.status_code, words in found.text) == (400, True), found.text


def test_restatements_known_at_a_moment_are_those_observed_by_then(site: Site) -> None:
    pages = (site.get(f"/restatements?week={WEEK}&as_of={day}").text for day in ("2025-12-16", "2025-12-21"))
    assert ["No record of this week has changed" in page for page in pages] == [True, False]


def test_a_week_without_restatements_leads_to_those_that_have_some(site: Site) -> None:
    found = site.get(f"/restatements?week={BEFORE}").text
    assert "No record of this week has changed" in found
    assert f'<a href="/restatements?week={WEEK}">14 November 2025</a>.' in found
    assert "Weeks that have" not in site.get(f"/restatements?week={BEFORE}&as_of=2025-12-16").text
    assert "Weeks that have" not in site.get(f"/restatements?week={WEEK}").text


def test_a_ranking_that_is_still_to_be_completed_says_what_completes_it(site: Site) -> None:
    found = site.get("/top?by=unusual&floor=0")
    assert (found.status_code, found.headers["Retry-After"]) == (503, "60")
    assert "`otcpipe top --by unusual` at once" in found.text


def test_a_report_that_names_the_server_leads_to_its_pages(site: Site) -> None:
    _, text = report.make(resources.database(), WEEK, resources.settings().now(), site.origin)
    paths = {found.replace("&amp;", "&") for found in re.findall(rf' href="{site.origin}([^"]+)"', text)}
    assert {"/symbol/AAPL", "/symbol/A%2FB%20%3Ci%3E", "/venue/AAAA"} <= paths
    assert {path: site.get(path).status_code for path in paths} == dict.fromkeys(paths, 200)
    assert HOSTILE not in text


@pytest.mark.parametrize(
    "address", ["javascript:alert(1)", "127.0.0.1:8421", "http://", "http://user@host", "ftp://a"]
)
def test_what_is_no_address_of_pages_is_refused(address: str, site: Site, tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="such as http"):
        write_report(None, tmp_path / "report.html", address)
    assert list(tmp_path.iterdir()) == []
