import concurrent.futures
import itertools
from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from otcpipe import resources
from otcpipe.errors import Unreachable
from otcpipe.storage import sql as statements
from otcpipe.storage.postgres import Database, Transaction

Sql = Callable[..., list[tuple[Any, ...]]]


@pytest.fixture
def empty(environment: dict[str, str], sql: Sql) -> Database:
    sql("drop schema otc, otc_internal cascade")
    return resources.database()


def test_migrations_are_applied_in_order_and_once(empty: Database, sql: Sql) -> None:
    names = [name for name, _ in statements.migrations()]
    assert empty.migrate() == names == sorted(names)
    assert empty.migrate() == []
    assert [name for (name,) in sql("select name from otc.migration order by applied_at, name")] == names


def test_concurrent_migrations_do_not_collide(empty: Database) -> None:
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        applied = list(pool.map(lambda _: empty.migrate(), range(4)))
    assert sorted(itertools.chain(*applied)) == [name for name, _ in statements.migrations()]


def test_a_migration_that_fails_leaves_nothing_of_itself(
    empty: Database, sql: Sql, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = [("0001_broken", "create table otc.half (); select 1 / 0;")]
    monkeypatch.setattr(statements, "migrations", lambda: iter(broken))
    with pytest.raises(psycopg.errors.DivisionByZero):
        empty.migrate()
    assert sql("select to_regclass('otc.half')") == [(None,)]
    assert sql("select * from otc.migration") == []


def test_a_transaction_that_fails_changes_nothing(environment: dict[str, str], sql: Sql) -> None:
    with pytest.raises(KeyError), resources.database().transaction() as transaction:
        transaction.run("add_names", names=["A", "B"])
        raise KeyError
    assert sql("select * from otc_internal.name") == []


def test_parallel_work_ends_before_an_error_is_raised(environment: dict[str, str], sql: Sql) -> None:
    def add(transaction: Transaction, name: str) -> str:
        if name == "B":
            raise KeyError(name)
        transaction.connection.execute("select pg_sleep(0.3)")
        transaction.run("add_names", names=[name])
        return name

    with pytest.raises(KeyError):
        resources.database().in_parallel(add, ["B", "A", "C"])
    assert sorted(sql("select name from otc_internal.name")) == [("A",), ("C",)]
    assert resources.database().in_parallel(add, ["E", "D"]) == ["E", "D"]


def test_a_server_that_is_down_is_unreachable_and_its_password_stays_secret() -> None:
    database = Database("postgresql://otcpipe:hunter2@127.0.0.1:9/otcpipe", seconds=1)
    with pytest.raises(Unreachable, match=r"127\.0\.0\.1:9") as caught, database.transaction():
        pass
    database.close()
    assert "hunter2" not in str(caught.value)


def test_every_statement_has_a_name_of_its_own() -> None:
    files = list((statements.SCHEMA / "queries").glob("*.sql"))
    assert len(statements.statements()) == sum(len(statements.named(f"queries/{path.name}")) for path in files)


def test_every_statement_is_described() -> None:
    assert [name for name, text in statements.statements().items() if not text.startswith("-- ")] == []


def test_every_column_of_fact_ten_is_in_the_key_of_current_records(environment: dict[str, str], sql: Sql) -> None:
    definition = sql("select pg_get_indexdef('otc_internal.volume_record_current'::regclass)")[0][0]
    assert "NULLS NOT DISTINCT" in definition
    for column in [
        "week_ending",
        "tier",
        "venue_type",
        "symbol",
        "issue_name_id",
        "product_type",
        "mpid",
        "firm_crd",
    ]:
        assert column in definition


@pytest.mark.parametrize("kept", ["closed_by is null", "closed_by is not null"])
def test_an_index_leads_to_the_records_of_a_symbol(environment: dict[str, str], sql: Sql, kept: str) -> None:
    sql("select otc_internal.create_quarter('2024-01-05')")
    with resources.database().transaction() as transaction:
        transaction.connection.execute("set local enable_seqscan = off")
        plan = transaction.connection.execute(
            f"explain select from otc_internal.volume_record where symbol = 'TAPE' and {kept}".encode()
        ).fetchall()
    assert any("Index Cond" in row["QUERY PLAN"] and "symbol" in row["QUERY PLAN"] for row in plan)


@pytest.mark.parametrize(
    ("former", "today"),
    [
        ("select brought_by, ended_by from otc.volume_record", "select opened_by, closed_by from otc.volume_record"),
        (
            "select brought_by, ended_by, ended_at from otc.version",
            "select opened_by, closed_by, closed_at from otc.version",
        ),
        ("select * from otc.acceptance", "select * from otc.quality_override"),
    ],
)
def test_what_analysts_query_keeps_its_former_names(
    environment: dict[str, str], sql: Sql, former: str, today: str
) -> None:
    sql("select otc_internal.create_quarter('2024-01-05')")
    sql(
        """insert into otc_internal.volume_record
        (week_ending, opened_by, share_volume, trade_count, tier, venue_type)
        values ('2024-01-05', 7, 1, 1, 'T1', 'ATS')"""
    )
    sql(
        """insert into otc.capture (capture_id, week_ending, tier, source, covers, fetched_key, raw_key, digest,
            observed_at, published_on, persisted_at)
        values (7, '2024-01-05', 'T1', 'api', 'all', 'f', 'r', 'd', now(), '2024-01-22', now())"""
    )
    sql(
        """insert into otc_internal.decision (decision_id, kind, week_ending, tier, subject, reason, decided_at)
        values ('a', 'accept', '2024-01-05', 'T1', 'digest', 'seen', now())"""
    )
    assert sql(former) == sql(today) != []
