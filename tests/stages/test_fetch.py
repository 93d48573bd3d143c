"""Weeks from FINRA's API to the tables: the real command line, a real worker, a server that speaks the protocol."""

import json
import subprocess
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any

import pytest

from otcpipe.finra.client import Finra
from otcpipe.records import Partition
from otcpipe.settings import Settings
from otcpipe.stages import normalize, paging, parse
from otcpipe.weeks import published_on, week_ending
from tests.conftest import DATA, kill
from tests.finra_server import Dataset, FinraServer, generated, recorded
from tests.finra_server.rows import with_values

Sql = Callable[..., list[tuple[Any, ...]]]
Run = Callable[..., "subprocess.CompletedProcess[str]"]
Workers = Callable[..., "subprocess.Popen[bytes]"]
RECORDED = DATA / "aapl_brkb_ats_w_smbl_t1_248_weeks.csv.gz"
MONDAY = date(2026, 3, 2)
NOW = datetime(2026, 5, 1, 12, tzinfo=UTC).isoformat()


def test_a_week_is_fetched_once_refreshed_on_demand_and_counted_once(
    here: Run, workers: Workers, sql: Sql, environment: dict[str, str]
) -> None:
    dataset = generated([MONDAY])
    with FinraServer(dataset) as server:
        asked = {"OTCPIPE_FINRA_URL": server.url, "OTCPIPE_NOW": NOW, "OTCPIPE_FINRA_RATE": "1000"}
        worker = workers(**asked)
        done = here("run", "--week", "2026-03-04", **asked)
        assert (done.returncode, done.stderr) == (0, "")
        rows = json.loads(here("status", "--json", "--week", "2026-03-04").stdout)
        results = [(row["tier"], row["state"], row["reconciled"], row["captures"]) for row in rows]
        assert results == [(tier, "done", True, 1) for tier in ("T1", "T2", "OTCE")]
        for row in rows:
            assert (
                row["rows"] == row["records"] + row["totals"] == len(dataset.partition((MONDAY, row["tier"])).lines)
            )
        expected = sum(
            Decimal(line.split("|")[0])
            for tier in ("T1", "T2", "OTCE")
            for line in dataset.partition((MONDAY, tier)).lines
            if line.endswith("_SMBL_FIRM")
        )
        assert sql("select sum(share_volume) from otc.venue_volume") == [(expected,)]
        assert sql("select sum(total_volume) < %s from otc.symbol_summary where scope = 'ALL'", expected + 1) == [
            (True,)
        ]
        before = len(server.requests)
        again = here("run", "--week", "2026-03-04", **asked)
        assert again.stdout.count("done already") == 3
        assert len(server.requests) == before
    revisions = sql("select count(*) from otc_internal.volume_record")
    kill(worker)  # its clock stands still
    with FinraServer(dataset, port=int(server.url.rpartition(":")[2])):
        later = asked | {"OTCPIPE_NOW": "2026-05-02T12:00:00Z"}
        workers(**later)
        assert here("run", "--week", "2026-03-04", "--tier", "OTCE", "--refresh", **later).returncode == 0
    assert sql("select tier, count(*) from otc.capture group by 1 order by 1") == [("OTCE", 2), ("T1", 1), ("T2", 1)]
    assert sql("select count(*) from otc_internal.volume_record") == revisions


def test_names_that_text_cannot_hold_reach_the_tables_exactly(here: Run, workers: Workers, sql: Sql) -> None:
    odd = "Pipe|and\nline break \\u007c Inc"
    dataset = generated([MONDAY])
    symbol = next(row[1] for row in dataset.rows((MONDAY, "T1")) if str(row[16]).endswith("ATS_W_SMBL_FIRM"))
    dataset.change((MONDAY, "T1"), lambda row: with_values(row, issueName=odd) if row[1] == symbol else row)
    with FinraServer(dataset) as server:
        asked = {"OTCPIPE_FINRA_URL": server.url, "OTCPIPE_NOW": NOW, "OTCPIPE_FINRA_RATE": "1000"}
        workers(**asked)
        assert here("run", "--week", "2026-03-04", "--tier", "T1", **asked).returncode == 0
    (row,) = [row for row in json.loads(here("status", "--json", "--week", "2026-03-04").stdout) if row["captures"]]
    assert (row["state"], row["reconciled"], row["rejects"]) == ("done", True, 0)
    assert row["rows"] == len(dataset.partition((MONDAY, "T1")).lines)
    assert sql("select distinct issue_name from otc.venue_volume where symbol = %s", symbol) == [(odd,)]
    assert here("explain", symbol, "--week", "2026-03-04").returncode == 0
    verified = here("verify", "--all")
    assert (verified.returncode, verified.stderr) == (0, ""), verified.stdout


def test_a_week_that_is_not_published_yet_is_a_state_and_no_error(here: Run, workers: Workers, sql: Sql) -> None:
    with FinraServer(Dataset({})) as server:
        asked = {"OTCPIPE_FINRA_URL": server.url, "OTCPIPE_NOW": "2026-04-28T12:00:00Z"}
        workers(**asked)
        done = here("run", "--week", "2026-04-10", "--tier", "T1", **asked)
        assert done.returncode == 0
        (row, *_) = json.loads(here("status", "--json", "--week", "2026-04-10", **asked).stdout)
        assert (row["state"], row["captures"]) == ("due", 0)
        assert "not published yet" in row["reason"]
    assert sql("select attempts from otc.stage_run") == [(1,)]


def test_a_partition_that_vanishes_is_failed_and_stays_as_it_was(here: Run, workers: Workers, sql: Sql) -> None:
    dataset = generated([MONDAY])
    with FinraServer(dataset) as server:
        asked = {"OTCPIPE_FINRA_URL": server.url, "OTCPIPE_NOW": NOW, "OTCPIPE_FINRA_RATE": "1000"}
        workers(**asked)
        assert here("run", "--week", "2026-03-04", "--tier", "T1", **asked).returncode == 0
        records = sql("select count(*) from otc.venue_volume")
        dataset.remove((MONDAY, "T1"))
        failed = here("run", "--week", "2026-03-04", "--tier", "T1", "--refresh", **asked)
        assert failed.returncode == 1
        assert "no rows for a partition that has captures" in failed.stdout
        assert sql("select count(*) from otc.venue_volume") == records


def test_a_backfill_says_what_it_would_do_and_does_only_what_is_missing(here: Run, sql: Sql) -> None:
    dry = here("backfill", "--from", "2026-03-04", "--to", "2026-03-25", "--dry-run", OTCPIPE_NOW=NOW)
    assert dry.stdout == (
        "12 partitions from 2026-03-06 to 2026-03-27: 12 to fetch, by the usual sizes of a week "
        "228 requests to FINRA, at most 18 a second, in at least 17 seconds.\n"
    )
    planned = here("plan", "--from", "2026-03-04", "--to", "2026-03-25", OTCPIPE_NOW=NOW).stdout
    assert "228 requests, at most 18 a second" in planned
    assert "at least 17 seconds" in planned
    assert sql("select count(*) from otc.stage_run") == [(0,)]
    assert here("backfill", "--from", "2026-03-04", "--tier", "T1", OTCPIPE_NOW=NOW).returncode == 0
    assert sql("select count(*), max(week_ending)::text from otc.stage_run") == [(6, "2026-04-10")]
    dry = here("backfill", "--from", "2026-03-04", "--tier", "T1", "--dry-run", OTCPIPE_NOW=NOW)
    assert dry.stdout.endswith(": nothing to fetch. Not fetched: 6 under way, 2 not published yet.\n")


def test_a_backfill_says_how_many_partitions_are_loaded(here: Run, workers: Workers) -> None:
    with FinraServer(generated([MONDAY])) as server:
        asked = {"OTCPIPE_FINRA_URL": server.url, "OTCPIPE_NOW": NOW, "OTCPIPE_FINRA_RATE": "1000"}
        workers(**asked)
        assert here("run", "--week", "2026-03-04", "--tier", "T1", **asked).returncode == 0
        dry = here("backfill", "--from", "2026-03-04", "--to", "2026-03-04", "--dry-run", **asked).stdout
    assert dry.startswith("3 partitions from 2026-03-06 to 2026-03-06: 2 to fetch, ")
    assert dry.endswith(" Not fetched: 1 loaded already.\n")


@pytest.fixture(scope="module")
def history() -> dict[tuple[date, str], Any]:
    return dict(recorded(RECORDED))


def test_every_recorded_row_is_captured_as_it_was_published(history: dict[tuple[date, str], Any]) -> None:
    with FinraServer(Dataset(history)) as server:
        client = Finra(Settings({"FINRA_URL": server.url}), lambda: None)
        seen = 0
        for (monday, tier), lines in history.items():
            partition = Partition(week_ending(monday), tier)
            found = paging.read_partition(partition, partial(client.page, partition))
            assert found
            rows = normalize.rows(parse.rows(found.content), partition)
            assert rows.rejects.num_rows == 0
            results = {
                (
                    row["symbol"],
                    str(row["share_volume"]),
                    row["trade_count"],
                    str(row["notional"]),
                    str(row["published_on"]),
                    str(row["updated_on"]),
                )
                for row in rows.records.to_pylist()
            }
            fields = [line.split("|") for line in lines if line.endswith("_SMBL_FIRM")]
            assert results == {
                (f[1], f"{Decimal(f[0]):.6f}", int(f[10]), f"{Decimal(f[9]):.6f}", f[6], f[3]) for f in fields
            }
            assert {str(published_on(partition.week_ending, tier))} == {f[6] for f in fields}
            seen += rows.totals.num_rows
        assert seen == 496


def test_recorded_weeks_reach_the_tables(
    here: Run, workers: Workers, sql: Sql, history: dict[tuple[date, str], Any]
) -> None:
    last = max(monday for monday, _ in history)
    first = last - timedelta(days=7 * 5)
    with FinraServer(Dataset(history)) as server:
        asked = {"OTCPIPE_FINRA_URL": server.url, "OTCPIPE_NOW": "2026-10-01T00:00:00Z", "OTCPIPE_FINRA_RATE": "1000"}
        workers(**asked)
        span = ("--from", first, "--to", last, "--tier", "T1")
        assert here("backfill", *span, "--wait", **asked).returncode == 0
    expected = sorted(
        (
            date.fromisoformat(f[11]) + timedelta(days=4),
            f[1],
            Decimal(f[0]),
            int(f[10]),
            Decimal(f[9]),
            date.fromisoformat(f[3]),
        )
        for (monday, _), lines in history.items()
        if monday >= first
        for f in (line.split("|") for line in lines)
        if f[16] == "ATS_W_SMBL"
    )
    published = """
        select week_ending, symbol, share_volume, trade_count, notional, updated_on
        from otc.venue_volume order by 1, 2
    """
    assert sql(published) == expected
