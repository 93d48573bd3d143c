"""Every listing in terminals of all widths, with long names and long reasons, and as JSON and CSV."""

import csv
import io
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from rich.cells import cell_len

from otcpipe import resources
from otcpipe.cli import app
from otcpipe.records import Partition
from otcpipe.stack import Supervisor
from otcpipe.weeks import due_at, published_on
from tests.conftest import place
from tests.support.pipeline import api_text, drive, observe
from tests.support.terminal import in_terminal

WEEK = date(2026, 3, 20)
LONG = " ".join(f"AN EXCEPTIONALLY LONG NAME OF A VENUE {number}" for number in range(6))
REASON = "the server answered with a page that is no page: " + "x" * 160
NOW = "2026-11-20T12:00:00Z"
Row = dict[str, Any]


def row(symbol: str, venue: str, shares: int, tier: str, restated: date | None) -> Row:
    published = published_on(WEEK, tier)
    return {
        "MPID": venue,
        "marketParticipantName": f"{venue} {LONG}",
        "issueSymbolIdentifier": symbol,
        "issueName": f"{symbol} {LONG}",
        "totalWeeklyShareQuantity": shares,
        "totalNotionalSum": 3 * shares,
        "initialPublishedDate": published,
        "lastUpdateDate": restated or published,
    }


def capture(shares: int, later: int) -> None:
    partition = Partition(WEEK, "T1")
    at = due_at(WEEK, "T1") + timedelta(hours=1, days=later)
    restated = at.date() if later else None
    rows = [row("ABC", "AAAA", shares, "T1", restated), row("=BRK.B", "BBBB", 3_000_000_000, "T1", None)]
    drive(observe(api_text(rows, partition), partition, at, "all"))


@pytest.fixture(scope="module", autouse=True)
def market(servers: Supervisor, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Hold one week of T1 that was restated once, a run that failed for a long reason, and its dead letter."""
    with place(servers, tmp_path_factory.mktemp("home"), OTCPIPE_NOW=NOW):
        capture(600, 0)
        capture(1_234_567, 3)
        with psycopg.connect(resources.settings()["DATABASE_URL"]) as connection:
            connection.execute(
                "insert into otc.stage_run (stage, key, week_ending, tier, state, code_version, finished_at, reason)"
                " values ('fetch', 'partition/T2/2026-03-20', '2026-03-20', 'T2', 'failed', 1, now(), %s)",
                [REASON],
            )
            connection.execute(
                "insert into otc.dead_letter (redis_message_id, message, queue, actor, stage, key, week_ending, tier,"
                " error_class, reason, attempts, first_at, last_at) values ('one', '{}', 'fetch', 'fetch', 'fetch',"
                " 'partition/T2/2026-03-20', '2026-03-20', 'T2', 'AnErrorOfALongName', %s, 3, now(), now())",
                [REASON],
            )
        yield


@pytest.fixture
def printed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[[str], str]:
    """What a command prints to a pipe."""

    def run(line: str) -> str:
        monkeypatch.setattr(sys, "argv", ["otcpipe", *line.split()])
        with pytest.raises(SystemExit):
            app()
        return capsys.readouterr().out

    return run


LISTINGS = {
    "status": ("Week ending", "Tier", "State", "Rows", "Reason", "2026-03-20", "failed", "done", "T1", "T2"),
    "coverage": ("Weeks ending", "T1", "T2", "OTCE", "2026-03-20"),
    "captures": ("Capture", "Week ending", "Tier", "State", "2026-03-20", "T1"),
    "revisions": ("Week ending", "Tier", "Venue", "Symbol", "Shares after", "ABC", "1,234,567"),
    "revisions --effect": ("Metric", "Of week", "Rows", "symbol_summary"),
    "show ABC": ("Week ending", "Volume", "HHI", "MPID", "Share %", "1,234,567"),
    "show ABC --vintages": ("Week ending", "Known from", "Volume", "600", "1,234,567"),
    "top --scope all": ("Symbol", "Volume", "HHI", "ABC", "3,000,000,000"),
    "venues --tier t1 --scope All": ("Rank", "MPID", "Share %", "Volume", "AAAA", "BBBB", "3,000,000,000"),
    "dlq list": ("Letter", "Stage", "Week ending", "Tier", "Reason", "Error", "2026-03-20"),
    "schedule --list": ("Job", "Next, New York", "refresh"),
    "tables": ("Table", "venue_volume", "symbol_summary", "stage_run"),
    "tables otc.Symbol-Concentration": ("Column", "What it is", "hhi_upper", "Herfindahl"),
    "tables HHI-upper": ("Table", "What it is", "symbol_concentration", "concentration_change", "10,000 x"),
    "explain ABC --week 2026-03-20 --metric symbol_summary": ("T1 ATS", "total_volume"),
}
PLAIN = ("verify --all", "reconcile --dry-run", "doctor")  # a sentence for each line, and --json and --csv


@pytest.mark.parametrize("width", [60, 80, 100, 120, 200])
def test_every_listing_fits_its_terminal_and_keeps_its_key_columns(width: int) -> None:
    screens = in_terminal(width, *(f"{line} --no-pager" if "schedule" not in line else line for line in LISTINGS))
    assert "Traceback" not in screens
    for screen, keys in zip(screens.split("==> ")[1:], LISTINGS.values(), strict=True):
        tables = [
            line for line in screen.splitlines()[1:] if "  " in line and "|" not in line and "observed" not in line
        ]
        assert tables, screen
        assert max(map(cell_len, tables)) <= width, screen
        assert [key for key in keys if key not in screen] == [], screen
        assert "…" not in screen


AT_80 = {
    "captures": ("Observed,", "UTC", "Grade", "Rows", "2026-04-06 11:00"),
    "revisions": ("Shares", "before", "after", "600", "1,234,567", "1,233,967"),
    "show ABC": ("before", "600"),
}


def test_what_a_listing_is_about_is_shown_in_80_columns() -> None:
    screens = in_terminal(80, *(f"{line} --no-pager" for line in AT_80)).split("==> ")[1:]
    for screen, words in zip(screens, AT_80.values(), strict=True):
        assert [word for word in words if word not in screen] == [], screen


def test_a_pipe_gets_no_blanks_at_the_end_of_a_line(printed: Callable[[str], str]) -> None:
    for line in ("top --scope ALL", "show ABC", "status"):
        assert [row for row in printed(line).splitlines() if row != row.rstrip()] == []


@pytest.mark.parametrize("line", LISTINGS)
def test_what_is_piped_is_whole(line: str, printed: Callable[[str], str]) -> None:
    text = printed(line)
    assert "columns:" not in text
    assert [key for key in LISTINGS[line] if key not in text] == []


def test_a_reason_is_whole_at_any_width() -> None:
    for width in (60, 200):
        screen = in_terminal(width, "status --no-pager")
        assert screen.count("x") - screen.count("exceptional") >= 160


@pytest.mark.parametrize("line", [*LISTINGS, *PLAIN])
def test_csv_has_the_rows_and_names_of_json(line: str, printed: Callable[[str], str]) -> None:
    found, text = json.loads(printed(f"{line} --json")), printed(f"{line} --csv")
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    assert all(line.endswith("\r\n") for line in text.splitlines(keepends=True))
    if line == "show ABC":
        found = found[0]["history"]
    if line.startswith("explain"):
        found = found[0]["records"]
    assert len(rows) == len(found)
    for one, other in zip(rows, found, strict=True):
        assert one.keys() == other.keys()
        for name, value in other.items():
            assert value not in (None, "") or one[name] == "", name
            if isinstance(value, str) and line != "doctor":  # whose clock differs from one to the next
                assert one[name].removeprefix("'") == value, name


@pytest.mark.parametrize("line", ["status", "captures", "revisions", "revisions --effect", "top", "dlq list"])
def test_csv_has_the_same_names_without_rows(
    line: str, printed: Callable[[str], str], servers: Supervisor, tmp_path: Path
) -> None:
    names, *rows = printed(f"{line} --csv").splitlines()
    assert rows
    with place(servers, tmp_path, OTCPIPE_NOW=NOW):
        assert printed(f"{line} --csv").splitlines() == [names]


def test_a_symbol_that_looks_like_a_formula_is_text_in_csv(printed: Callable[[str], str]) -> None:
    assert "'=BRK.B" in printed("top --scope ALL --csv")


def test_json_and_csv_together_are_refused(printed: Callable[[str], str]) -> None:
    assert printed("top --json --csv") == ""


def test_a_limit_keeps_the_newest_and_says_so(printed: Callable[[str], str]) -> None:
    whole, one = (json.loads(printed(f"captures --json{more}")) for more in ("", " --limit 1"))
    assert (len(whole), one) == (2, whole[-1:])
    assert "The last 1 of 2 rows" in printed("captures --limit 1")
    assert "The first 1 of 2 rows" in printed("venues --tier T1 --scope ALL --limit 1")


def test_the_effect_names_the_tier_and_where_the_values_are(printed: Callable[[str], str]) -> None:
    assert "otc.restatement" in printed("revisions --effect")
    assert {row["tier"] for row in json.loads(printed("revisions --effect --json"))} == {"T1"}
    assert printed("revisions --effect --json --limit 1") == printed("revisions --effect --json"), "of all metrics"


def test_the_effect_on_one_symbol_has_the_values(printed: Callable[[str], str]) -> None:
    [summary] = [
        row
        for row in json.loads(printed("revisions --symbol ABC --effect --json"))
        if row["metric"] == "symbol_summary"
    ]
    [volume] = [row for row in summary["values"] if (row["scope"], row["column_name"]) == ("ATS", "total_volume")]
    assert volume["before"] != volume["after"]
    shown = [
        line.split() for line in printed("revisions --symbol ABC --effect").splitlines() if "total_volume" in line
    ]
    assert [f"{float(volume[name]):,.0f}" for name in ("before", "after")] == shown[0][-2:]


def test_of_one_tier_the_ranking_says_so_to_programs_too(printed: Callable[[str], str]) -> None:
    for tier, more in (("T1", " --tier T1"), ("ALL_TIERS", "")):
        assert {row["tier"] for row in json.loads(printed(f"top --scope ALL --json{more}"))} == {tier}


def test_numbers_are_for_people_and_the_share_is_a_percentage(printed: Callable[[str], str]) -> None:
    text = printed("top --scope ALL")
    assert "ATS share %" in text
    assert "100.00" in text
    heading, first, second = [line for line in text.splitlines() if line.startswith(("Symbol", "ABC", "=BRK.B"))]
    end = heading.index("Volume") + len("Volume")
    assert {line[:end][-1] for line in (first, second)} <= set("0123456789")


def test_a_grade_has_its_reason(printed: Callable[[str], str]) -> None:
    for text in (printed("status"), printed("captures")):
        assert "rows are far from the usual" in text


@pytest.mark.parametrize(("lines", "is_paged"), [(5, True), (200, False)])
def test_only_what_is_longer_than_the_screen_is_paged(lines: int, is_paged: bool, tmp_path: Path) -> None:
    pager = tmp_path / "pager"
    pager.write_text("#!/bin/sh\necho PAGED\ncat\n")
    pager.chmod(0o755)
    assert ("PAGED" in in_terminal(100, "show ABC", lines=lines, PAGER=str(pager))) == is_paged
    assert "PAGED" not in in_terminal(100, "show ABC --no-pager", lines=lines, PAGER=str(pager))


def test_a_pager_that_does_not_exist_leaves_the_text() -> None:
    assert "Week ending" in in_terminal(100, "show ABC", lines=5, PAGER="/no/such/pager")


def test_a_pipe_is_never_paged() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "otcpipe", "show", "ABC"],
        env=os.environ | {"PAGER": "/bin/false", "LINES": "3"},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "Week ending" in done.stdout
