"""Rows that cannot be right stop no listing, are named, and can be removed; wrong clocks and cut files are named."""

from collections.abc import Callable
from datetime import timedelta
from subprocess import CompletedProcess
from typing import Any

import dramatiq
import pytest

from otcpipe import resources
from otcpipe.broker import messages
from otcpipe.errors import Invalid
from otcpipe.metrics import completion
from otcpipe.monitoring import checks, telemetry
from otcpipe.monitoring.context import CheckContext
from otcpipe.pipeline import oddities
from otcpipe.records import Partition
from tests.support.pipeline import NOON, WEEK, api_text, drive, file_text, observe

Sql = Callable[..., list[tuple[Any, ...]]]
Here = Callable[..., CompletedProcess[str]]
OTCE = Partition(WEEK, "OTCE")
DAY = timedelta(days=1)
IMPOSSIBLE = {
    "year 1": ("0001-01-05", "T1"),
    "year 9999": ("9999-12-31", "T1"),
    "infinity": ("infinity", "T2"),
    "before the feed": ("2013-12-27", "OTCE"),
    "a Thursday": ("2025-11-13", "T1"),
    "a tier that is none": ("2025-11-14", "T9"),
    "next century": ("2100-01-01", "T2"),
    "not ended": ("2090-01-06", "T1"),
}
LISTINGS = [
    ("status",),
    ("status", "--json"),
    ("coverage", "--json"),
    ("schedule", "--list"),
    ("revisions",),
    ("revisions", "--effect"),
    ("report",),
    ("reconcile", "--dry-run"),
    ("reconcile", "--stale", "--dry-run"),
    ("refresh", "--dry-run", "--all"),
    ("dlq", "list"),
]
REFUSED = [
    ("reprocess", "partition/T1/9999-12-31"),
    ("reprocess", "partition/T1/0001-01-05", "--dry-run"),
    ("reprocess", f"raw/T1/2013-12-27/{'0' * 64}.psv.gz"),
    ("reprocess", "partition/T9/2025-11-14"),
    ("status", "--week", "9999-12-31"),
    ("enqueue", "--week", "0001-01-05"),
    ("backfill", "--from", "0001-01-01", "--dry-run"),
    ("backfill", "--from", "2025-01-01", "--to", "9999-12-31", "--dry-run"),
    ("coverage", "--from", "1999-12-31"),
    ("coverage", "--to", "9999-12-31"),
    ("export", "venue_share", "--to", "9999-12-31", "--output", "nowhere"),
    ("export", "--table", "venue_share", "--as-of", "0001-01-01T00:00:00+05:00", "--output", "nowhere"),
    ("show", "ABC", "--as-of", "9999-12-31T23:59:59-05:00"),
    ("show", "ABC", "--as-of", "0001-01-01T00:00:00+05:00"),
    ("dlq", "list", "--since", "0001-01-01"),
    ("dlq", "list", "--since", "9999-12-31T23:59:59-05:00"),
    ("accept", "--week", "9999-12-31", "--tier", "T1", "--reason", "x"),
    ("report", "--week", "0001-01-05"),
]


def stored_run(sql: Sql, week: str, tier: str, state: str) -> str:
    """A run of the ledger as an earlier version, or a damaged row, may have left it; its key."""
    key = f"{resources.settings()['S3_PREFIX']}/partition/{tier}/{week}"
    sql(
        """
        insert into otc.stage_run
            (stage, key, week_ending, tier, state, code_version, queued_at, lease_until, finished_at)
        select 'fetch', %s, %s, %s, %s, 1, at, at, at
        from (
            select
                now() - interval '1 day' as at,
                set_config('otcpipe.release', max(name collate "C"), false) -- as a worker does
            from otc.migration
        ) as yesterday
        """,
        key,
        week,
        tier,
        state,
    )
    return key


@pytest.mark.parametrize("state", ["queued", "running", "done", "failed"])
def test_an_impossible_row_stops_no_listing_and_can_be_removed(
    state: str, sql: Sql, here: Here, environment: dict[str, str], tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OTCPIPE_NOW", "2026-01-14T12:00:00-05:00")  # when the newest weeks are late
    drive(observe(file_text([("ABC", "AAAA", 10, 1)]), OTCE, NOON))
    completion.complete(resources.database())  # as the listing of unusual symbols does, which other listings show
    before = {listing: here(*listing) for listing in LISTINGS}
    found = [stored_run(sql, week, tier, state) for week, tier in IMPOSSIBLE.values()]
    for listing in LISTINGS:
        told = here(*listing)
        assert told.returncode == before[listing].returncode == (1 if listing[0] == "coverage" else 0), told.stderr
        if listing[-1] == "--json" or listing[0] == "report":
            assert told.stdout == before[listing].stdout
    assert "cannot exist or have not ended" in here("status").stdout
    assert checks.CHECKS[-2][2](CheckContext(resources.settings()))[0] == "warn"
    removed = here("reconcile")
    assert all(key in removed.stdout for key in found)
    assert sql("select count(*) from otc.stage_run where key = any(%s)", found) == [(0,)]
    assert oddities.find(resources.database(), NOON) == []
    assert sql("select count(*) > 0 from otc.stage_run") == [(True,)]


def test_figures_for_prometheus_count_no_impossible_week(sql: Sql, environment: dict[str, str]) -> None:
    drive(observe(file_text([("ABC", "AAAA", 10, 1)]), OTCE, NOON))

    def partitions() -> list[tuple[str, dict[str, str], float]]:
        found = [one for family in telemetry.Figures(resources.settings()).collect() for one in family.samples]
        wanted = ("otcpipe_partitions", "otcpipe_weeks_behind", "otcpipe_up")
        return [(one.name, one.labels, one.value) for one in found if one.name in wanted]

    before = partitions()
    for week, tier in IMPOSSIBLE.values():
        stored_run(sql, week, tier, "done")
    assert partitions() == before
    assert [value for name, _, value in before if name == "otcpipe_up"] == [1.0, 1.0]


def test_a_row_of_an_impossible_week_is_not_asked_for_by_its_prefix(sql: Sql, here: Here) -> None:
    stored_run(sql, "9999-12-31", "T1", "done")
    told = here("reprocess", "--prefix", "partition/T1/9")
    assert told.returncode == 2
    assert "fetch has not run on any key that begins with partition/T1/9" in told.stderr


@pytest.mark.parametrize("command", REFUSED, ids=" ".join)
def test_a_week_or_moment_outside_the_feed_is_a_usage_error(command: tuple[str, ...], here: Here, sql: Sql) -> None:
    told = here(*command)
    assert told.returncode == 2, told.stdout
    assert "Traceback" not in told.stderr
    assert len(told.stderr.strip().splitlines()) == 1
    assert sql("select count(*) from otc.stage_run") == [(0,)]


@pytest.mark.parametrize("week", ["0001-01-05", "2013-12-27", "2090-01-06", "9999-12-31"])
def test_a_message_of_an_impossible_week_is_refused(week: str, environment: dict[str, str]) -> None:
    message: dramatiq.Message[None] = dramatiq.Message(
        queue_name="fetch", actor_name="fetch_week", args=(f"partition/T1/{week}",), kwargs={}, options={}
    )
    with pytest.raises(Invalid, match=f"names an impossible week. The week ending {week}"):
        messages.read(message.encode())


def test_an_observation_whose_clock_was_set_back_is_named(environment: dict[str, str], here: Here) -> None:
    drive(observe(api_text([{}], OTCE), OTCE, NOON, "all"))
    drive(observe(api_text([{"totalWeeklyShareQuantity": 7}], OTCE), OTCE, NOON + DAY, "all"))
    assert "clock" not in here("status").stdout
    newer = api_text([{"totalWeeklyShareQuantity": 9, "lastUpdateDate": "2025-12-22"}], OTCE)
    drive(observe(newer, OTCE, NOON - 2 * DAY, "all"))
    shown = here("status").stdout
    assert "OTCE 2025-11-14: the observation of 2025-12-18 12:00 UTC has rows updated on 2025-12-22" in shown
    [sentence] = oddities.clocks_set_back(resources.database())
    assert sentence in shown
    assert sentence in here("status", "--week", OTCE.week_ending).stdout
    assert "clock" not in here("status", "--week", OTCE.week_ending - 7 * DAY).stdout, "it is of another week"
    verdict, said, _ = checks.CHECKS[-2][2](CheckContext(resources.settings()))
    assert (verdict, sentence in said) == ("warn", True)


def test_an_observation_that_was_cut_short_says_nothing_about_the_clock_of_an_earlier_one(
    environment: dict[str, str],
) -> None:
    whole = [{"issueSymbolIdentifier": f"S{place}"} for place in range(3)]
    drive(observe(api_text([*whole, {"lastUpdateDate": "2025-12-16"}], OTCE), OTCE, NOON, "all"))
    drive(observe(api_text(whole[:1], OTCE), OTCE, NOON + DAY, "all"))
    assert oddities.clocks_set_back(resources.database()) == []
    drive(observe(api_text(whole, OTCE), OTCE, NOON + 2 * DAY, "all"))
    assert len(oddities.clocks_set_back(resources.database())) == 1


@pytest.mark.parametrize("covers", ["ats", "all"])
def test_an_import_that_is_much_smaller_than_its_neighbour_is_warned_of(
    covers: str, here: Here, environment: dict[str, str], tmp_path: Any
) -> None:
    names = [f"S{number:03}" for number in range(100)]
    whole = file_text([(name, "AAAA", 10, 1) for name in names])
    if covers == "ats":
        drive(observe(whole, OTCE, NOON))
    else:
        drive(observe(api_text([{"issueSymbolIdentifier": name} for name in names], OTCE), OTCE, NOON, "all"))
    for number, is_cut in ((40, True), (95, False)):
        file = tmp_path / f"cut{number}.psv"
        file.write_bytes(b"\n".join(whole.splitlines()[: number + 1]) + b"\n")
        told = here("import", file, "--week", str(WEEK), "--observed-at", f"2025-12-19T{10 + number % 10}:00:00Z")
        assert told.returncode == 0, told.stderr
        warning = f"It has {number} records, but the observation of 2025-12-20 12:00 UTC has 100"
        assert (warning in told.stdout) == is_cut
