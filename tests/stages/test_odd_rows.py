"""Rows with odd labels in the pipeline: their shares are in every total, and a reject is not a zero."""

from collections.abc import Callable
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from otcpipe import resources
from otcpipe.metrics import definitions
from otcpipe.pipeline import definition
from otcpipe.pipeline.ledger import Run
from otcpipe.records import Partition
from otcpipe.stages import compute, versions
from otcpipe.storage import keys
from tests.metrics import reference
from tests.metrics.load import ordered, tables
from tests.metrics.records import Record
from tests.support.pipeline import NOON, WEEK, api_text, drive, file_text, observe

DATA = Path(__file__).parents[1] / "data"
CASES = DATA / "odd_rows"
T1 = Partition(date(2019, 5, 17), "T1")
OTCE = Partition(WEEK, "OTCE")
DAY = timedelta(days=1)
Sql = Callable[..., list[tuple[Any, ...]]]
NOBODY: dict[str, object] = {"MPID": "", "marketParticipantName": ""}


@pytest.mark.parametrize(
    ("case", "venues"), [("two_names", {"ZLIX": 60, "ZBSA": 100}), ("no_mpid", {"ZLIX": 40, "ZBSA": 100})]
)
def test_shares_with_an_odd_label_are_in_all_totals(case: str, venues: dict[str, int], sql: Sql) -> None:
    drive(observe((CASES / f"{case}.psv").read_bytes(), T1))
    assert sql("select sum(share_volume) from otc.venue_volume") == [(160,)]
    assert sql("select total_volume, venue_count from otc.symbol_summary") == [(160, 2)]
    shares = sql("select mpid, total_volume from otc.venue_share where tier = 'T1' and scope = 'ATS'")
    assert set(shares) == set(venues.items())
    assert sql("select max(market_share_pct) from otc.venue_share") == [(Decimal("62.5"),)]
    assert sql("select state from otc.stage_run where stage = 'compute'") == [("done",)]


def test_a_venue_that_is_renamed_on_most_symbols_holds_nothing(sql: Sql) -> None:
    def row(symbol: int, name: str) -> dict[str, object]:
        return {"issueSymbolIdentifier": f"S{symbol}", "marketParticipantName": name}

    rows = [row(symbol, name) for symbol in range(120) for name in ("INSTINCT X", "INSTINCT X BY BANK B")]
    totals: list[dict[str, object]] = [
        NOBODY
        | {
            "issueSymbolIdentifier": f"S{symbol}",
            "summaryTypeCode": "ATS_W_SMBL",
            "totalWeeklyShareQuantity": 200,
            "totalWeeklyTradeCount": 20,
        }
        for symbol in range(120)
    ]
    total: dict[str, object] = {
        "summaryTypeCode": "ATS_W_FIRM",
        "issueSymbolIdentifier": "",
        "issueName": "",
        "totalWeeklyShareQuantity": 24_000,
        "totalWeeklyTradeCount": 2_400,
        "marketParticipantName": "INSTINCT X",
    }
    drive(observe(api_text([*rows, *totals, total], OTCE), OTCE, covers="all"))
    assert sql("select records, rejects, reconciled from otc.capture") == [(240, 0, True)]
    assert sql("select sum(total_volume) from otc.venue_share where scope = 'ATS'") == [(24_000,)]
    assert sql("select distinct venue_count, hhi from otc.symbol_concentration where scope = 'ATS'") == [(1, 10_000)]
    assert not any(compute.find_differences(resources.database(), WEEK)[0].values())


def test_volume_of_an_ats_that_is_named_later_is_a_revision(sql: Sql) -> None:
    drive(observe(api_text([{}, NOBODY], OTCE), OTCE, covers="all"))
    before = sql("select total_volume, venue_count from otc.symbol_summary where scope = 'ATS'")
    drive(observe(api_text([{}, {"MPID": "BBBB"}], OTCE), OTCE, NOON + DAY, covers="all"))
    after = sql("select total_volume, venue_count from otc.symbol_summary where scope = 'ATS'")
    assert (before, after) == ([(200, 1)], [(200, 2)])
    assert sql("select count(*), count(closed_by) from otc_internal.volume_record") == [(3, 1)]


def test_a_file_changes_nothing_of_what_the_api_said_under_two_names(sql: Sql) -> None:
    names: list[dict[str, object]] = [{}, {"marketParticipantName": "AAAA RENAMED"}, NOBODY]
    drive(observe(api_text(names, OTCE), OTCE, covers="all"))
    lines = [
        f"OTC|ABC|Abc Inc|{name}|{mpid}|100|10|2025-12-15"
        for name, mpid in (("AAAA VENUE", "AAAA"), ("AAAA RENAMED", "AAAA"), ("", ""))
    ]
    header = file_text([]).decode()
    drive(observe((header + "\n".join(lines)).encode(), OTCE, NOON + DAY))
    assert sql("select count(*), count(closed_by) from otc_internal.volume_record") == [(3, 0)]
    changed = "\n".join(lines).replace("AAAA RENAMED|AAAA|100", "AAAA RENAMED|AAAA|150")
    drive(observe((header + changed).encode(), OTCE, NOON + 2 * DAY))
    assert sql("select product_type from otc.venue_volume where share_volume = 150") == [("UTP",)]
    assert sql("select count(*), count(closed_by) from otc_internal.volume_record") == [(4, 1)]


def test_a_name_that_a_file_corrects_keeps_what_the_file_does_not_say(sql: Sql) -> None:
    drive(observe(api_text([{}], OTCE), OTCE, covers="all"))
    line = b"OTC|ABC|Abc Inc|AAAA BY BANK B|AAAA|100|10|2025-12-15"
    drive(observe(file_text([]) + line, OTCE, NOON + DAY))
    assert sql("select product_type, published_on is null from otc.venue_volume") == [("UTP", False)]
    assert sql("select count(*), count(closed_by) from otc_internal.volume_record") == [(2, 1)]


def capture(weeks_later: int, second: str, at: datetime) -> None:
    """Observe a week of two symbols, the second of which may be damaged, absent or there."""
    week = WEEK + timedelta(days=7 * weeks_later)
    content = file_text([("AAA", "AAAA", 100, 1)], updated_on=week + timedelta(days=31))
    line = f"OTC|BBB|BBB Inc|AAAA VENUE|AAAA|{second}|1|{week + timedelta(days=31)}\n" if second else ""
    drive(observe(content + line.encode(), Partition(week, "OTCE"), at))


def rolling(sql: Sql, week: date, at: datetime | None = None) -> list[tuple[Any, ...]]:
    source = "otc.symbol_rolling_avg" if at is None else "otc.symbol_rolling_avg_as_of(%s)"
    values = () if at is None else (at,)
    return sql(
        f"select current_volume, trend from {source} where symbol = 'BBB' and week_ending = %s and scope = 'ATS'",
        *values,
        week,
    )


def test_a_symbol_whose_row_was_rejected_is_not_at_zero(sql: Sql) -> None:
    following, at = WEEK + timedelta(days=7), datetime.fromisoformat("2026-01-10T12:00:00Z")
    capture(0, "100", at)
    capture(1, "1|00", at)  # a delimiter in a value
    assert rolling(sql, following) == []
    capture(1, "", at + DAY)
    assert rolling(sql, following) == [(0, "down")]
    capture(1, "1.0000001", at + 2 * DAY)
    assert rolling(sql, following) == []
    capture(1, "40", at + 3 * DAY)
    assert rolling(sql, following) == [(40, "down")]
    moments = [at + days * DAY + timedelta(hours=1) for days in range(4)]
    assert [rolling(sql, following, moment) for moment in moments] == [[], [(0, "down")], [], [(40, "down")]]
    assert not any(compute.find_differences(resources.database(), following)[0].values())


def test_rejects_that_newer_code_gives_their_symbol_change_the_metrics(
    sql: Sql, monkeypatch: pytest.MonkeyPatch
) -> None:
    following, at = WEEK + timedelta(days=7), datetime.fromisoformat("2026-01-10T12:00:00Z")
    capture(0, "100", at)
    capture(1, "", at)
    capture(1, "?", at + DAY)  # no record changes
    assert rolling(sql, following) == []
    sql("update otc.reject set symbol = null")  # as an older release left it
    with resources.database().transaction() as transaction:
        definitions.mark_due(transaction, following)
    compute.compute(resources.database(), following)
    assert rolling(sql, following) == [(0, "down")]
    monkeypatch.setattr(versions, "NORMALIZE", 99)
    [(key, generation)] = sql(
        "select r.key, r.generation from otc.stage_run as r join otc.capture as c on c.capture_id = r.generation "
        "where r.stage = 'normalize' and c.observed_at = %s",
        at + DAY,
    )
    drive(
        Run(
            definition.named("normalize"),
            keys.parse(key, resources.settings()["S3_PREFIX"]),
            generation,
            request="again",
        )
    )
    assert rolling(sql, following) == []


def test_the_metrics_with_rejects_are_those_of_the_reference(sql: Sql) -> None:
    at = datetime.fromisoformat("2026-01-10T12:00:00Z")
    for weeks_later, second in enumerate(("100", "?", "", "5")):
        capture(weeks_later, second, at)
    weeks = [WEEK + timedelta(days=7 * number) for number in range(4)]
    records = [Record(week, "OTCE", "ATS", "AAA", Decimal(100), 1, "AAAA") for week in weeks]
    records += [Record(weeks[at], "OTCE", "ATS", "BBB", Decimal(size), 1, "AAAA") for at, size in ((0, 100), (3, 5))]
    expected = reference.symbol_rolling_avg(records, {(week, "OTCE"): "ats" for week in weeks}, {(weeks[1], "BBB")})
    assert tables()["symbol_rolling_avg"] == ordered(expected)
    assert sql("select symbol, lines from otc.reject") == [("BBB", 1)]


def test_the_largest_values_of_many_rows_add_up(sql: Sql) -> None:
    large: dict[str, object] = {
        "totalWeeklyShareQuantity": "99999999999999.999999",
        "totalWeeklyTradeCount": 10**12 - 1,
        "totalNotionalSum": "999999999999999999.999999",
    }
    rows = [large | {"MPID": f"M{at}"} for at in range(300)] + [
        large | {"MPID": f"M{at}", "totalWeeklyTradeCount": 1} | {"issueSymbolIdentifier": "ONE"} for at in range(300)
    ]
    drive(observe(api_text(rows, OTCE), OTCE, covers="all"))
    assert sql(
        "select total_volume, total_trades from otc.symbol_summary where symbol = 'ABC' and scope = 'ALL'"
    ) == [(300 * Decimal("99999999999999.999999"), 300 * (10**12 - 1))]
    assert sql("select state from otc.stage_run where stage = 'compute'") == [("done",)]
    assert not any(compute.find_differences(resources.database(), WEEK)[0].values())


def test_values_that_no_column_holds_are_rejected_and_other_rows_computed(sql: Sql) -> None:
    rows: list[dict[str, object]] = [{"MPID": f"M{at}", "totalWeeklyTradeCount": 10**18 - 1} for at in range(12)]
    rows += [{"issueSymbolIdentifier": "LONG", "issueName": "x" * 9000}, {"issueSymbolIdentifier": "FINE"}]
    drive(observe(api_text(rows, OTCE), OTCE, covers="all"))
    assert sql("select records, rejects from otc.capture") == [(1, 13)]
    assert sql("select symbol from otc.symbol_summary where scope = 'ALL'") == [("FINE",)]
    assert sql("select state from otc.stage_run where stage = 'compute'") == [("done",)]


@pytest.mark.parametrize("case", sorted((DATA / "file_shapes").iterdir()), ids=lambda case: case.name)
def test_a_file_is_imported_however_it_is_written(case: Path, here: Callable[..., Any]) -> None:
    done = here("import", case)
    assert (done.returncode, done.stderr) == (0, "")
    assert "OTCE, week ending 2025-11-28 (published Monday 2025-12-29, 35 days after" in done.stdout


def test_a_given_week_overrides_dates_before_its_publication_with_a_warning(
    tmp_path: Path, here: Callable[..., Any]
) -> None:
    path = tmp_path / "early.psv"
    path.write_bytes(file_text([("AABB", "OTCN", 2841885, 155)], updated_on="2025-12-26"))
    refused = here("import", path)
    assert refused.returncode == 2
    assert "2025-12-26 is not a publication date of tier OTCE; give the week with --week" in refused.stderr
    done = here("import", "--week", "2025-11-28", path)
    assert done.returncode == 0
    assert (
        "Warning: early.psv: Its rows are dated 2025-12-26, but this week was published on 2025-12-29" in done.stdout
    )
