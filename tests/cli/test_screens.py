"""What `show`, `top` and `venues` say of a small market that was restated."""

import json
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

import otcpipe
from otcpipe import resources
from otcpipe.cli import app
from otcpipe.records import Partition
from otcpipe.stack import Supervisor
from otcpipe.weeks import NEW_YORK, due_at, published_on
from tests.conftest import place
from tests.support.pipeline import api_text, drive, file_text, observe

WEEKS = [date(2026, 3, 6) + timedelta(days=7 * number) for number in range(3)]
FILE_WEEK = date(2026, 2, 27)
FIRM = {"MPID": "", "summaryTypeCode": "OTC_W_SMBL_FIRM", "productTypeCode": "CTS"}
MARKUP = "[bold]X\x1b[31m"  # a name that a terminal might obey
Rows = dict[tuple[str, str], int]  # symbol and venue: shares
Said = Callable[..., str]


def row(symbol: str, venue: str, shares: int, partition: Partition, restated: date | None) -> dict[str, Any]:
    published = published_on(partition.week_ending, partition.tier)
    of_venue = (
        {"MPID": venue, "marketParticipantName": f"{venue} POOL"}
        if len(venue) == 4
        else FIRM | {"marketParticipantName": venue, "firmCRDNumber": "0" if venue == "De Minimis Firms" else "361"}
    )
    return of_venue | {
        "issueSymbolIdentifier": symbol,
        "totalWeeklyShareQuantity": shares,
        "totalNotionalSum": 3 * shares,
        "initialPublishedDate": published,
        "lastUpdateDate": restated or published,
    }


def capture(week: date, tier: str, rows: Rows, later: int = 0, restated: tuple[str, str] | None = None) -> None:
    partition = Partition(week, tier)
    at = due_at(week, tier) + timedelta(hours=1, days=later)
    text = [row(*key, shares, partition, at.date() if key == restated else None) for key, shares in rows.items()]
    drive(observe(api_text(text, partition), partition, at, "all"))


@pytest.fixture(scope="module", autouse=True)
def market(servers: Supervisor, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Three weeks of T1, the last with all tiers, one restated; and a week of a file."""
    small = {("NA", "AAAA"): 10, ("BRK.B", "BBBB"): 5, (MARKUP, "AAAA"): 1}
    last: Rows = {
        ("ABC", "AAAA"): 600,
        ("ABC", "BBBB"): 200,
        ("ABC", "GOLDMAN SACHS & CO. LLC"): 100,
        ("ABC", "De Minimis Firms"): 100,
    }
    with place(servers, tmp_path_factory.mktemp("home")):
        of_file = file_text([("ABC", "AAAA", 70, 7)], "T1", "2026-03-16")
        drive(observe(of_file, Partition(FILE_WEEK, "T1"), due_at(FILE_WEEK, "T1")))
        for number, week in enumerate(WEEKS):
            capture(week, "T1", small | (last if week == WEEKS[-1] else {("ABC", "AAAA"): 100 * (number + 1)}))
        for tier in ("T2", "OTCE"):
            capture(WEEKS[-1], tier, {("TWO", "AAAA"): 7})
        capture(WEEKS[-1], "T1", small | last | {("ABC", "AAAA"): 700}, 3, ("ABC", "AAAA"))
        yield


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Said:
    """What a command prints, on either stream, in this process."""
    monkeypatch.setenv("OTCPIPE_NOW", "2026-11-20T12:00:00Z")

    def run(*arguments: object) -> str:
        monkeypatch.setattr(sys, "argv", ["otcpipe", *map(str, arguments)])
        with pytest.raises(SystemExit):
            app()
        printed = capsys.readouterr()
        return printed.out + printed.err

    return run


def lines(text: str, word: str) -> list[list[str]]:
    return [line.split() for line in text.splitlines() if word in line]


def test_a_symbol_s_weeks_say_when_they_were_published_and_whether_they_were_restated(said: Said) -> None:
    text = said("show", "ABC", "--scope", "ATS")
    week = f"{WEEKS[-1]}"
    (newest,) = [line for line in lines(text, week) if line[1:2] == ["900"]]
    assert newest[-2:] == ["2026-04-06", "2026-04-09"]
    assert lines(text, f"{WEEKS[0]}")[0][-1] == "2026-03-23"
    assert "█" in text
    assert lines(text, "changed")[0][2:7] == ["AAAA", "POOL", "changed", "600", "700"]


def test_a_symbol_as_of_a_moment_is_what_was_known_then(said: Said) -> None:
    moment = due_at(WEEKS[-1], "T1") + timedelta(days=1)
    then, now = (
        json.loads(said("show", "ABC", "--json", *more))[0] for more in (("--as-of", moment.isoformat()), ())
    )
    volumes = [
        {week["scope"]: week["volume"] for week in found["history"] if week["week_ending"] == str(WEEKS[-1])}
        for found in (then, now)
    ]
    assert [of_scope["ATS"] for of_scope in volumes] == ["800.000000", "900.000000"]
    assert (then["as_of"], then["revisions"]) == (moment.astimezone(UTC).isoformat(), [])
    assert len(now["revisions"]) == 1
    assert then["venues"][0]["updated_on"] is None
    assert now["venues"][0]["updated_on"] == "2026-04-09"
    early = f"{due_at(FILE_WEEK, 'T1') - timedelta(days=1):%Y-%m-%dT%H:%M:%S%z}"
    assert "No record of 'ABC' was known on" in said("show", "ABC", "--as-of", early)


def test_a_symbol_s_concentration_is_an_interval_and_its_venues_have_shares(said: Said) -> None:
    (found,) = json.loads(said("show", "ABC", "--json"))
    assert found["scope"] == "ALL"
    assert [(venue["venue_name"], venue["share_pct"]) for venue in found["venues"]][:2] == [
        ("AAAA POOL", "63.64"),
        ("BBBB POOL", "18.18"),
    ]
    of_all = next(week for week in found["history"] if week["scope"] == "ALL")
    assert (of_all["hhi"], of_all["hhi_upper"], of_all["ats_fraction"]) == ("4462.81", "4545.45", "0.818182")
    assert "4,462.81..4,545.45" in said("show", "ABC")


def test_unnamed_firms_are_no_venue_and_the_limit_is_named(said: Said) -> None:
    assert f"Volume in the week ending {WEEKS[-1]}, 3 venues:" in said("show", "ABC")
    assert "3 venues, the first 2 of 4 rows (see --limit):" in said("show", "ABC", "--limit", "2")


def test_a_week_of_a_file_has_no_other_scope_than_ats(said: Said) -> None:
    (found,) = json.loads(said("show", "ABC", "--week", FILE_WEEK, "--json"))
    assert (found["scope"], {week["scope"] for week in found["history"]}) == ("ATS", {"ATS"})
    assert (found["history"][0]["average_price"], found["history"][0]["ats_fraction"]) == (None, None)


@pytest.mark.parametrize(
    ("arguments", "answer"),
    [
        (("na",), "No symbol 'na' is stored: did you mean NA?"),
        (("brk.b",), "did you mean BRK.B?"),
        (("BRK-B",), "No symbol 'BRK-B' is stored: did you mean BRK.B?"),
        (("BRK/B",), "did you mean BRK.B?"),
        (("BRKB",), "did you mean BRK.B?"),
        (("NONE",), "No symbol 'NONE' is stored."),
        (("\udcff",), "No symbol '?' is stored."),
        (
            ("NA", "--week", FILE_WEEK),
            f"'NA' has no records for the week ending {FILE_WEEK}; its newest are for {WEEKS[-1]}.",
        ),
    ],
)
def test_an_unknown_symbol_is_one_sentence(said: Said, arguments: tuple[str, ...], answer: str) -> None:
    text = said("show", *arguments)
    assert text.count("\n") == 1
    assert answer in text


def test_what_a_terminal_would_obey_is_text(said: Said) -> None:
    for text in (said("show", MARKUP), said("top", "--scope", "ALL")):
        assert "\x1b" not in text
        assert "[bold]X\N{REPLACEMENT CHARACTER}[31m" in text


@pytest.mark.parametrize(
    ("by", "first"), [("volume", "ABC"), ("trades", "ABC"), ("change", "ABC"), ("hhi", "NA"), ("ats-fraction", "NA")]
)
def test_the_first_symbols_are_by_what_is_asked_for(said: Said, by: str, first: str) -> None:
    found = json.loads(said("top", "--by", by, "--tier", "T1", "--scope", "ALL", "--json"))
    assert found[0]["symbol"] == first
    assert {row["symbol"] for row in found} == {"ABC", "NA", "BRK.B", MARKUP}
    assert found[0]["published_on"] == "2026-04-06"
    assert [row["updated_on"] for row in found if row["symbol"] == "ABC"] == ["2026-04-09"]


def test_symbols_with_few_trades_are_left_out_of_any_order(said: Said) -> None:
    rows = {row["symbol"]: row for row in json.loads(said("top", "--tier", "T1", "--scope", "ALL", "--json"))}
    least = sorted(row["trades"] for row in rows.values())[-2]
    for by in ("volume", "trades", "hhi"):
        asked = ("top", "--by", by, "--tier", "T1", "--scope", "ALL", "--min-trades", least)
        assert {row["symbol"] for row in json.loads(said(*asked, "--json"))} == {
            symbol for symbol, row in rows.items() if row["trades"] >= least
        }
        assert f"with {least:,} trades or more" in said(*asked)
    assert said("top", "--min-trades", 10**9).startswith("No symbol has so many trades in scope ATS.")


def test_top_says_which_partitions_it_is_of(said: Said) -> None:
    assert f"Week ending {WEEKS[0]}, published: T1 2026-03-23; T2 and OTCE are not loaded." in said(
        "top", "--week", WEEKS[0]
    )
    assert "published: T1 2026-03-16 (ATS only);" in said("top", "--week", FILE_WEEK)
    why = f"`otcpipe coverage --from {FILE_WEEK} --to {FILE_WEEK}` says why."
    asked = said("top", "--week", FILE_WEEK, "--scope", "ALL")
    assert f"The week ending {FILE_WEEK} has no metrics of scope ALL: {why}" in asked


def test_top_of_a_tier_says_which_figures_are_of_it_and_which_of_all(said: Said) -> None:
    text = said("top", "--tier", "T1")
    assert "Volume and ATS share are of T1; mean, trend, HHI and band are of all tiers together." in text
    assert {"Volume, T1", "ATS share %, T1"} <= {heading.strip() for heading in text.splitlines()[3].split("  ")}
    assert "all tiers together" not in said("top")


@pytest.mark.parametrize(("command", "start"), [("show TWO", f"{WEEKS[-1]}"), ("top", "TWO")])
def test_a_mean_of_one_week_makes_no_trend(said: Said, command: str, start: str) -> None:
    row = next(line for line in said(*command.split(), "--scope", "ATS").splitlines() if line.startswith(start))
    assert "too few weeks" in row
    assert "stable" not in row


def not_loaded(what: str, nearest: date) -> str:
    fetching = f"`otcpipe enqueue --week {what[-10:]}` fetches it"
    return f"{what} is not loaded; the nearest loaded week ends {nearest}. {fetching}."


@pytest.mark.parametrize(
    "command", ["verify", "revisions", "top", "venues", "show ABC", "report", "captures", "explain ABC"]
)
def test_a_week_that_is_not_loaded_is_refused_with_the_nearest_that_are(said: Said, command: str) -> None:
    answer = not_loaded("The week ending 2020-01-03", FILE_WEEK)
    assert said(*command.split(), "--week", "2020-01-01") == f"otcpipe: {answer}\n"


@pytest.mark.parametrize(
    ("command", "answer"),
    [
        ("captures --tier T2", not_loaded("T2 of the week ending 2026-03-13", WEEKS[-1])),
        ("top --tier T2", not_loaded("T2 of the week ending 2026-03-13", WEEKS[-1])),
        ("venues --tier otc", not_loaded("OTCE of the week ending 2026-03-13", WEEKS[-1])),
        (
            "venues --tier all-tiers",
            "The week ending 2026-03-13 has no venue shares of scope ATS and tier ALL_TIERS.",
        ),
        ("venues --tier all", "'all' is not a tier; choose from T1, T2, OTCE, ALL_TIERS."),
    ],
)
def test_a_tier_that_is_not_loaded_is_refused(said: Said, command: str, answer: str) -> None:
    assert said(*command.split(), "--week", "2026-03-13") == f"otcpipe: {answer}\n"


@pytest.mark.parametrize("scope", ["non-ats", "Non Ats", "NON_ATS"])
def test_a_scope_is_read_in_any_spelling(said: Said, scope: str) -> None:
    assert "361" in said("venues", "--scope", scope)
    assert otcpipe.read("venue_share", scope=scope, tier="all-tiers")["firm_crd"].tolist() == [361]


def test_venues_are_of_all_tiers_where_all_are_in_with_changes_and_what_was_restated(said: Said) -> None:
    found = json.loads(said("venues", "--json"))
    assert [(row["tier"], row["rank"], row["mpid"], row["updated_records"]) for row in found] == [
        ("ALL_TIERS", 1, "AAAA", 1),
        ("ALL_TIERS", 2, "BBBB", 0),
    ]
    (leader, second) = json.loads(said("venues", "--tier", "T1", "--json"))
    assert (leader["rank_change"], leader["share_change_4w_pts"], leader["updated_on"]) == (0, None, "2026-04-09")
    assert float(leader["share_change_1w_pts"]) == -float(second["share_change_1w_pts"]) != 0
    (only,) = json.loads(said("venues", "--week", FILE_WEEK, "--json"))
    assert (only["tier"], only["market_share_pct"], only["published_on"]) == ("T1", "100.0000", "2026-03-16")
    assert "361" in said("venues", "--scope", "NON_ATS")


@pytest.mark.parametrize("typed", ["brk.b", "BRK-B", "BRK/B"])
@pytest.mark.parametrize("command", ["show {}", "explain {} --week 2026-03-20", "revisions --symbol {}"])
def test_every_command_that_takes_a_symbol_names_the_nearest(said: Said, command: str, typed: str) -> None:
    assert f"No symbol '{typed}' is stored: did you mean BRK.B?" in said(*command.format(typed).split())


def test_a_known_symbol_without_revisions_is_no_error(said: Said) -> None:
    assert said("revisions", "--symbol", "BRK.B") == "No record was restated or relabelled.\n"


def test_a_date_is_the_end_of_that_day_in_new_york_and_is_echoed(said: Said) -> None:
    text = "s known on 2026-04-08 23:59:59 New York"
    assert text in said("show", "ABC", "--as-of", "2026-04-08")
    assert text in said("show", "ABC", "--as-of", "2026-04-08", "--csv")
    exported = said("export", "symbol_summary", "--as-of", "2026-04-08", "--dry-run")
    assert text in exported
    assert "1,000" in said("show", "ABC", "--as-of", "2026-04-08")
    assert "1,100" in said("show", "ABC", "--as-of", "2026-04-09")


RANKED = [
    *(
        f"top --by {by} --scope {scope}"
        for by in ("volume", "trades", "change", "hhi", "ats-fraction")
        for scope in ("ATS", "ALL")
    ),
    "top --tier T1 --week 2026-03-13",
    "venues",
    "venues --scope ALL --tier T1",
    "venues --scope NON_ATS",
    "venues --tier T2",
]


@pytest.mark.parametrize("command", RANKED)
def test_what_is_known_today_is_the_present(said: Said, command: str) -> None:
    now, known = (json.loads(said(*command.split(), "--json", *more)) for more in ((), ("--as-of", "2026-11-20")))
    assert now
    assert known == now


MOMENTS = [
    due_at(WEEKS[-1], "T1") + timedelta(days=number, hours=2, microseconds=number) for number in (-7, -1, 0, 2, 3, 20)
]


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_ranking_as_of_a_moment_follows_from_the_metrics_as_of_it(said: Said, moment: datetime) -> None:
    week = WEEKS[1] if moment < due_at(WEEKS[-1], "T1") else WEEKS[-1]
    values = {"week": week, "week_ending": week, "at": moment}
    with resources.database().transaction() as transaction:
        run = transaction.connection.execute
        symbols = run(
            "select symbol, round(sum(total_volume), 6)::text as volume"
            " from otc.symbol_summary_as_of(%(at)s, %(week)s, %(week)s)"
            " where scope = 'ATS' group by symbol order by sum(total_volume) desc, symbol",
            values,
        ).fetchall()
        shares = run(
            "select mpid, rank, market_share_pct::text, share_change_1w_pts::text"
            " from otc.venue_share_as_of(%(at)s, %(week)s, %(week)s)"
            " where scope = 'ATS' and tier = 'T1' order by rank, venue_name",
            values,
        ).fetchall()
    as_of = ("--json", "--as-of", moment.isoformat())
    top = json.loads(said("top", *as_of))
    assert {row["week_ending"] for row in top} == {f"{week}"}
    assert [{name: row[name] for name in ("symbol", "volume")} for row in top] == symbols
    names = ("mpid", "rank", "market_share_pct", "share_change_1w_pts")
    assert [
        {name: row[name] for name in names} for row in json.loads(said("venues", "--tier", "T1", *as_of))
    ] == shares
    assert f"As known on {moment.astimezone(NEW_YORK):%Y-%m-%d}" in said("top", "--as-of", moment.isoformat())


def test_nothing_is_ranked_before_anything_was_known(said: Said) -> None:
    for command in ("top", "venues", "venues --tier T2 --week 2026-03-20", "explain ABC --week 2026-03-20"):
        text = said(*command.split(), "--as-of", "2026-03-10")
        assert text.startswith("otcpipe: ")
        assert ("was known" in text, text.count("\n")) == (True, 1)


def test_a_proof_as_of_a_moment_is_of_what_was_known_then(said: Said) -> None:
    asked = ("explain", "ABC", "--week", WEEKS[-1], "--metric", "symbol_summary", "--json")
    moment = due_at(WEEKS[-1], "T1") + timedelta(days=2)
    then, today, now = (
        json.loads(said(*asked, *more))[0]
        for more in (("--as-of", moment.isoformat()), ("--as-of", "2026-11-20"), ())
    )
    assert [proof["shares"] for proof in then["proofs"] if proof["scope"] == "ATS"] == ["800"]
    assert [proof["shares"] for proof in now["proofs"] if proof["scope"] == "ATS"] == ["900"]
    assert all(proof["agrees"] for proof in (*then["proofs"], *now["proofs"]))
    for one in (today, now):
        for row in one["metrics"]:
            del row["computed_at"]
    assert {**today, "as_of": None} == now


@pytest.mark.parametrize("scope", ["ATS", "ALL", "NON_ATS"])
def test_a_vintage_holds_what_was_known_at_every_moment_of_its_interval(said: Said, scope: str) -> None:
    vintages = json.loads(said("show", "ABC", "--vintages", "--scope", scope, "--json"))
    assert vintages
    names = (
        "volume",
        "trades",
        "volume_vs_avg_pct",
        "trend",
        "venue_count",
        "hhi",
        "hhi_upper",
        "concentration_level",
    )
    for moment in [datetime(2026, 3, 16, 15, tzinfo=UTC), *MOMENTS, datetime(2026, 11, 20, tzinfo=UTC)]:
        known = {
            row["week_ending"]: [row[name] for name in names]
            for row in vintages
            if datetime.fromisoformat(row["known_from"]) <= moment
            and (row["known_until"] is None or moment < datetime.fromisoformat(row["known_until"]))
        }
        with resources.database().transaction() as transaction:
            asked = {"symbol": "ABC", "first": FILE_WEEK, "last": WEEKS[-1], "at": moment}
            rows = transaction.rows("symbol_history", **asked)
        defined = {
            f"{row['week_ending']}": [
                str(row[name]) if isinstance(row[name], Decimal) else row[name] for name in names
            ]
            for row in rows
            if row["scope"] == scope
        }
        assert known == defined, moment


def test_vintages_and_a_moment_are_refused(said: Said) -> None:
    assert "leave --as-of out" in said("show", "ABC", "--vintages", "--as-of", "2026-04-08")
