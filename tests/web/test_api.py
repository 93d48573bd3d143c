"""The API answers what the tables and the command line have, in the forms that were asked for."""

import csv
import io
import json
from collections.abc import Callable
from subprocess import CompletedProcess

import pyarrow.parquet as pq
import pytest

import otcpipe
from otcpipe.cli import app
from tests.web.conftest import FIRST_SEEN, HOSTILE, WEEK, Site

COMMANDS = {
    "/api/v1/venues?scope=ALL&exact=1": ("venues", "--scope", "ALL"),
    "/api/v1/top?scope=ALL&exact=1&number=10": ("top", "--scope", "ALL"),
    "/api/v1/top?scope=ALL&exact=1&number=10&as_of=2025-12-16": ("top", "--scope", "ALL", "--as-of", "2025-12-16"),
    f"/api/v1/explain?symbol=AAPL&week={WEEK}&exact=1": ("explain", "AAPL", "--week", str(WEEK)),
    "/api/v1/revisions?exact=1": ("revisions",),
    "/api/v1/coverage?exact=1": ("coverage",),
}


@pytest.fixture
def command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., CompletedProcess[str]]:
    def run(*arguments: str) -> CompletedProcess[str]:
        monkeypatch.setattr("sys.argv", ["otcpipe", *arguments])
        with pytest.raises(SystemExit):
            app()
        return CompletedProcess([], 0, capsys.readouterr().out, "")

    return run


@pytest.mark.parametrize("path", COMMANDS)
def test_answers_equal_those_of_the_command_line(
    path: str, site: Site, command: Callable[..., CompletedProcess[str]]
) -> None:
    printed = json.loads(command(*COMMANDS[path], "--json").stdout)
    assert site.get(path).json() == printed != []


def test_a_symbols_weeks_and_venues_equal_show(site: Site, command: Callable[..., CompletedProcess[str]]) -> None:
    shown = json.loads(command("show", "AAPL", "--as-of", "2025-12-16", "--json").stdout)[0]
    asked = "symbol=AAPL&as_of=2025-12-16&exact=1"
    assert site.get(f"/api/v1/symbol-weeks?{asked}&weeks=12").json() == shown["history"]
    assert site.get(f"/api/v1/symbol-venues?{asked}").json() == shown["venues"]


def test_a_metric_equals_what_notebooks_read(site: Site) -> None:
    found = site.get(f"/api/v1/tables/symbol_summary?from={WEEK}&to={WEEK}&format=parquet")
    table = pq.read_table(io.BytesIO(found.content))
    read = otcpipe.read("symbol_summary", week=WEEK, as_arrow=True)
    assert table.to_pylist() == read.to_pylist() != []


def test_decimals_are_numbers_or_exact_text(site: Site) -> None:
    plain, exact = (
        site.get(
            f"/api/v1/symbol-weeks?symbol=AAPL&scope=ATS&weeks=1&as_of={FIRST_SEEN:%Y-%m-%d}&exact={exact}"
        ).json()
        for exact in (0, 1)
    )
    assert (plain[0]["volume"], exact[0]["volume"]) == (1100.5, "1100.500000")


def test_an_answer_as_of_a_moment_is_of_that_moment(site: Site) -> None:
    before, after = (
        site.get(f"/api/v1/symbol-weeks?symbol=AAPL&scope=ATS&weeks=1&as_of={day}").json()[0]["volume"]
        for day in ("2025-12-16", "2025-12-21")
    )
    assert (before, after) == (1100.5, 2600)


def test_an_answer_comes_in_pages_which_together_are_all_of_it(site: Site) -> None:
    path = f"/api/v1/tables/symbol_summary?from={WEEK}&to={WEEK}"
    whole, found, following = site.get(path).json(), [], f"{path}&limit=4"
    while following:
        answer = site.get(following)
        found += answer.json()
        following = answer.links["next"]["url"] if "next" in answer.links else ""
    assert found == whole
    assert len(whole) > 8


def test_csv_has_the_chosen_columns_and_no_formulas(site: Site) -> None:
    text = site.get("/api/v1/symbols?q=a&format=csv&fields=issue_name,symbol").text
    rows = list(csv.reader(io.StringIO(text)))
    assert rows[0] == ["issue_name", "symbol"]
    assert [HOSTILE, "A/B <i>"] in rows


def test_what_did_not_change_is_not_sent_again_and_is_asked_for_again(site: Site) -> None:
    current = site.get("/api/v1/venues")
    again = site.get("/api/v1/venues", headers={"If-None-Match": current.headers["ETag"]})
    assert (again.status_code, again.content, current.headers["Cache-Control"]) == (304, b"", "private, no-cache")
    past = site.get("/api/v1/venues?as_of=2025-12-16")
    assert past.headers["Cache-Control"] == "private, no-cache", "a backfill changes what was known then"


@pytest.mark.parametrize(
    ("path", "status", "words"),
    [
        ("/api/v1/symbol-weeks?symbol=APPL", 404, "did you mean AAPL?"),
        ("/api/v1/symbol-weeks", 400, "Give symbol."),
        ("/api/v1/symbol-weeks?symbol=AAPL&weeks=x", 400, "weeks must be a whole number, not 'x'."),
        ("/api/v1/symbol-weeks?symbol=AAPL&weeks=-1", 400, "weeks must be at least 1, not '-1'."),
        ("/api/v1/symbol-weeks?symbol=AAPL&weeks=9999", 400, "weeks must be at most 1040, not '9999'."),
        ("/api/v1/venues?format=xml", 400, "format must be json, csv or parquet, not 'xml'."),
        ("/api/v1/venues?exact=perhaps", 400, "exact must be true or false, not 'perhaps'."),
        (f"/api/v1/symbols?q={'x' * 201}", 400, "q must be a text of at most 200 characters, not 'xxx"),
        ("/api/v1/venues?asof=2025-12-16", 400, "No parameter 'asof': did you mean as_of?"),
        ("/api/v1/symbol-weeks?symbl=AAPL", 400, "No parameter 'symbl': did you mean symbol?"),
        ("/api/v1/tables?zzz=1", 400, "No parameter 'zzz'; choose from format, exact,"),
        ("/api/v1/top?floor=5", 400, "A floor goes with the order unusual only."),
        ("/api/v1/top?by=unusual&floor=-1", 400, "floor must be at least 0, not '-1'."),
        ("/api/v1/top?by=unusual&as_of=2025-12-16", 400, "does not go with the order unusual"),
        ("/api/v1/coverage?as_of=2025-12-16", 400, "what is known now, and takes no as_of"),
        ("/api/v1/venue-weeks?venue=XXXX", 404, "No venue 'XXXX' is stored"),
        ("/api/v1/venue-weeks?venue=AAAA&scope=NON_ATS", 404, "no weeks of tier ALL_TIERS and scope NON_ATS: it has"),
        ("/api/v1/venue-weeks?venue=AAAA&week=2015-01-02", 404, "up to the one ending 2015-01-02."),
        ("/api/v1/venues?week=tomorrow", 400, "is not a date"),
        ("/api/v1/venues?scope=DARK", 400, "is not a scope"),
        ("/api/v1/symbol-weeks?symbol=%00", 400, "Give a symbol as text"),
        ("/api/v1/tables/pg_authid", 400, "cannot be read"),
        ("/api/v1/venues?fields=password", 400, "No column 'password'"),
        ("/api/v1/venues?cursor=x", 400, "cursor"),
        ("/api/v1/venues?limit=1000000", 400, "limit must be at most 50000"),
        ("/api/v1/none", 404, "No such page"),
        ("/api/v1/", 404, "/programs shows the addresses, and /openapi.json their parameters."),
    ],
)
def test_errors_are_problem_details(site: Site, path: str, status: int, words: str) -> None:
    found = site.get(path)
    assert (found.status_code, found.headers["Content-Type"]) == (status, "application/problem+json")
    assert words in found.json()["detail"]
    assert found.json()["status"] == status


def test_restatements_as_of_a_moment_are_those_observed_by_then(site: Site) -> None:
    before, after = (site.get(f"/api/v1/revisions?as_of={day}").json() for day in ("2025-12-16", "2025-12-21"))
    assert (before, after) == ([], site.get("/api/v1/revisions").json())
    assert after


def test_a_firm_without_an_mpid_has_its_weeks_without_naming_a_scope(site: Site) -> None:
    rows = site.get("/api/v1/venue-weeks?venue=CRD 7691").json()
    assert {row["scope"] for row in rows} == {"NON_ATS"}
    assert site.get("/api/v1/venue-weeks?venue=7691").json() == rows
