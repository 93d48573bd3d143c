"""Today's code beside what is live: what differs is shown, and nothing live is touched."""

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from otcpipe import resources
from otcpipe.audit import shadow
from otcpipe.audit.shadow import Outline
from otcpipe.audit.shadow_differences import uncompared
from otcpipe.metrics import completion
from otcpipe.metrics.definitions import metrics
from otcpipe.records import Partition
from otcpipe.stack import Supervisor
from otcpipe.storage import sql as statements
from otcpipe.storage.postgres import Database
from otcpipe.text import limits
from tests.conftest import place
from tests.support.pipeline import NOON, WEEK, api_text, drive, file_text, observe

Here = Callable[..., subprocess.CompletedProcess[str]]
Sql = Callable[..., list[tuple[Any, ...]]]
NEXT = WEEK + timedelta(days=7)
SPLIT = (45, 40, 15)  # of shares by venue: an index of 3,850
EVEN = (40, 30, 20, 10)  # of 3,000


def load() -> None:
    """Two weeks: T1 with a restatement, all venues; a website file of another tier; deferred metrics complete."""
    for week in (WEEK, NEXT):
        partition = Partition(week, "T1")
        rows: list[dict[str, object]] = [
            {"issueSymbolIdentifier": symbol, "MPID": f"AAA{number}", "totalWeeklyShareQuantity": shares}
            for symbol, volumes in (("ABC", SPLIT), ("EVEN", EVEN), ("LONGER", EVEN))
            for number, shares in enumerate(volumes)
        ]
        restated = [rows[0] | {"totalWeeklyShareQuantity": 46}, *rows[1:]]
        drive(*(observe(api_text(some, partition), partition, NOON + timedelta(days=day), "all")
                for day, some in enumerate((rows, restated))))  # fmt: skip
        file = file_text([("OTC", "AAA1", 7, 1), ("LONGOTC", "AAA2", 8, 2)]) + b"broken\n"
        drive(observe(file, Partition(week, "OTCE")))
    completion.complete(resources.database())


def live(sql: Sql) -> dict[str, list[tuple[Any, ...]]]:
    """All rows of all live tables, with the transactions that wrote them."""
    tables = sql("select schemaname || '.' || tablename from pg_tables where schemaname in ('otc', 'otc_internal')")
    return {name: sql(f"select t::text, t.xmin::text from {name} as t order by 1, 2") for [name] in tables}


def differences(printed: subprocess.CompletedProcess[str]) -> dict[tuple[str, str], dict[str, Any]]:
    assert printed.returncode == 0, printed.stderr
    return {(one["week_ending"], one["table"]): one for one in json.loads(printed.stdout)}


@pytest.fixture(scope="module")
def world(servers: Supervisor, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    with place(servers, tmp_path_factory.mktemp("home")) as variables:
        load()
        yield variables


@pytest.fixture
def environment(world: dict[str, str]) -> dict[str, str]:
    """One place for all tests: none of them changes what is live."""
    return world


@pytest.fixture
def other_sql(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A copy of the SQL files in which a test may change a rule."""
    shutil.copytree(statements.SCHEMA, tmp_path / "schema")
    monkeypatch.setattr(statements, "SCHEMA", tmp_path / "schema")
    statements.named.cache_clear()
    yield tmp_path / "schema"
    monkeypatch.undo()
    statements.named.cache_clear()


def test_the_same_code_differs_nowhere_and_touches_nothing(here: Here, sql: Sql) -> None:
    before, objects = live(sql), sorted(resources.store().keys(resources.settings()["S3_PREFIX"]))
    assert len(before) > 30
    printed = here("shadow", "--all")
    assert printed.returncode == 0, printed.stderr
    assert "no row differs" in printed.stdout
    assert live(sql) == before
    assert sorted(resources.store().keys(resources.settings()["S3_PREFIX"])) == objects
    assert sql("select nspname from pg_namespace where nspname like 'otc_shadow%%'") == []


def test_a_changed_rule_of_rows_shows_the_rows_that_it_changes(
    here: Here, sql: Sql, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = live(sql)
    monkeypatch.setitem(limits.MAX_CHARACTERS, "issueSymbolIdentifier", 5)
    found = differences(here("shadow", "--weeks", f"{WEEK}..{NEXT}", "--json"))
    for week in map(str, (WEEK, NEXT)):
        records, rejects = found[week, "volume_record"], found[week, "reject"]
        assert (records["added"], records["removed"], records["changed"]) == (0, len(EVEN) + 1, 0)
        assert (rejects["added"], rejects["removed"]) == (2 * len(EVEN) + 1, 0)  # of both captures of T1
        assert {example["place"].split()[2] for example in records["examples"]} <= {"LONGER", "LONGOTC"}
        summary = found[week, "symbol_summary"]
        lost = sql("select count(*) from otc.symbol_summary where week_ending = %s and symbol like 'LONG%%'", week)
        assert (summary["added"], summary["removed"], summary["changed"]) == (0, lost[0][0], 0)
        assert found[week, "venue_share"]["changed"] > 0
    assert live(sql) == before


def test_a_changed_band_shows_just_the_symbols_that_leave_it(here: Here, sql: Sql, other_sql: Path) -> None:
    before = live(sql)
    file = other_sql / "metrics" / "symbol_concentration.sql"
    text = file.read_text()
    assert text.count("2500 * total") == 2
    file.write_text(text.replace("2500 * total", "3500 * total"))
    statements.named.cache_clear()
    found = differences(here("shadow", "--weeks", str(NEXT), "--json"))
    even = sql(
        "select symbol, scope from otc.symbol_concentration where week_ending = %s and hhi between 2500 and 3499.99",
        NEXT,
    )
    assert {symbol for symbol, _ in even} == {"EVEN", "LONGER"}
    assert set(found) == {(str(NEXT), "symbol_concentration")}
    [table] = found.values()
    assert (table["added"], table["removed"], table["changed"]) == (0, 0, len(even))
    assert table["columns"] == {"concentration_level": len(even)}
    move = {"column_name": "concentration_level", "before": "concentrated", "after": "moderate", "rows": len(even)}
    assert table["moves"] == [move]
    assert live(sql) == before
    shown = here("shadow", "--weeks", str(NEXT)).stdout
    assert "concentration_level concentrated to moderate" in " ".join(shown.split())


def test_what_cannot_be_read_is_named(here: Here, sql: Sql) -> None:
    [[key]] = sql("select raw_key from otc.capture where week_ending = %s and tier = 'OTCE'", WEEK)
    content = resources.store().get(key)
    resources.store().discard(key)
    printed = here("shadow", "--all")
    resources.store().put_once(key, content)
    assert printed.returncode == 1
    assert key in printed.stdout
    assert "1 capture cannot be read" in printed.stderr


def test_a_shadow_may_be_kept_until_the_next(here: Here, sql: Sql) -> None:
    assert "otc_shadow" in here("shadow", "--all", "--keep").stdout
    rows = [sql(f"select count(*) from {schema}.symbol_summary") for schema in ("otc", "otc_shadow")]
    assert rows[0] == rows[1] != [(0,)]
    assert here("shadow", "--all").returncode == 0
    assert sql("select nspname from pg_namespace where nspname like 'otc_shadow%%'") == []


def test_two_shadows_at_once_are_refused(here: Here, environment: dict[str, str]) -> None:
    with psycopg.connect(environment["OTCPIPE_DATABASE_URL"]) as other:
        other.execute("select pg_advisory_xact_lock(hashtext('otc.shadow'))")
        printed = here("shadow", "--all")
    assert printed.returncode == 1
    assert "Another process runs a shadow" in printed.stderr


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ((), "Name weeks with --weeks"),
        (("--all", "--weeks", "2025-11-14"), "Name weeks with --weeks"),
        (("--weeks", "2025-11-21..2025-11-14"), "is after"),
        (("--weeks", "soon"), "is not a date"),
        (("--weeks", "2024-11-15"), "None of these weeks is loaded"),
    ],
)
def test_wrong_weeks_are_refused(here: Here, words: tuple[str, ...], sentence: str) -> None:
    printed = here("shadow", *words)
    assert printed.returncode == 2
    assert sentence in printed.stderr


def test_a_dry_run_says_what_would_be_run_and_runs_nothing(here: Here, sql: Sql) -> None:
    [row] = json.loads(here("shadow", "--weeks", str(NEXT), "--dry-run", "--json").stdout)
    assert (row["weeks"], row["weeks_before"], row["captures"]) == (1, 1, 6)
    assert "Nothing was run" in here("shadow", "--all", "--dry-run").stdout
    assert sql("select nspname from pg_namespace where nspname like 'otc_shadow%%'") == []


def test_metrics_that_read_older_weeks_than_are_run_are_not_compared() -> None:
    before = tuple(WEEK - timedelta(weeks=back) for back in (10, 0))
    chosen = Outline((WEEK,), before, (WEEK - timedelta(weeks=30),), 2, 2, 2)
    by_name = {metric.name: metric for metric in metrics()}
    assert chosen.is_comparable(by_name["venue_share"], WEEK)
    assert not chosen.is_comparable(by_name["symbol_unusual"], WEEK)
    [sentence] = uncompared(chosen)
    assert "symbol_unusual reads 55 weeks" in sentence


def test_all_that_users_import_is_copied(sql: Sql) -> None:
    tables = sql("select conrelid::regclass::text from pg_constraint where confrelid = 'otc.volume_import'::regclass")
    assert len(tables) >= 3
    copied = statements.statements()["fill_shadow"]
    assert [name for [name] in tables if f"insert into {name.replace('otc', 'otc_shadow', 1)} (" not in copied] == []


def test_every_statement_names_the_shadow_alone(environment: dict[str, str]) -> None:
    other = statements.statements(shadow.SCHEMA)
    written = {name: text for name, text in other.items() if "otc." in text.replace("otc_shadow", "")}
    assert written == {}
    database = Database(resources.settings()["DATABASE_URL"], schema=shadow.SCHEMA)
    assert database.migrate()
    with database.transaction() as transaction:
        assert transaction.rows("applied_migrations")
    shadow.drop(database)
    database.close()
