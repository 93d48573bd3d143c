"""A metric is one file: what it must say, and that it needs nothing else."""

import shutil
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from otcpipe import resources
from otcpipe.metrics import definitions
from otcpipe.pipeline.ledger import Run
from otcpipe.records import Partition
from otcpipe.stages import compute
from otcpipe.storage import sql as statements
from tests.support.pipeline import NOON, WEEK, drive, file_text, observe

NEXT = WEEK + timedelta(days=7)


def taken(week: date, shares: int) -> Run:
    """The observation of a week in which one symbol has some volume and another has 30."""
    content = file_text([("AAA", "AAAA", shares, 1), ("CCC", "AAAA", 30, 1)])
    return observe(content, Partition(week, "OTCE"), NOON - timedelta(days=shares))


@pytest.fixture
def schema(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A copy of the schema that this process reads instead."""
    monkeypatch.setattr(statements, "SCHEMA", shutil.copytree(statements.SCHEMA, tmp_path / "schema"))
    for remembered in (statements.named, statements.statements, definitions.metrics):
        remembered.cache_clear()
    yield statements.SCHEMA
    for remembered in (statements.named, statements.statements, definitions.metrics):
        remembered.cache_clear()


def test_a_metric_follows_those_that_it_reads() -> None:
    names = [metric.name for metric in definitions.metrics()]
    assert names.index("symbol_summary") < names.index("symbol_rolling_avg")
    for at, metric in enumerate(definitions.metrics()):
        assert metric.reads <= {*names[:at], metric.name}


def test_a_metric_file_must_say_how_far_it_reaches(schema: Path) -> None:
    (schema / "metrics" / "endless.sql").write_text("-- endless: a metric\n-- reaches: some\n")
    with pytest.raises(ValueError, match=r"schema/metrics/endless\.sql lacks the line `-- reaches: N`"):
        definitions.metrics()


def test_a_new_metric_is_one_file(schema: Path, sql: Callable[..., list[tuple[Any, ...]]]) -> None:
    """A metric that is first by name and reads another, over two weeks."""
    (schema / "metrics" / "busiest_symbol.sql").write_text("""-- busiest_symbol: the most traded of two weeks.
-- reaches: 1
-- reads: symbol_summary

-- name: table
create table if not exists otc.busiest_symbol (
    week_ending date not null, symbol text not null, volume numeric not null, computed_at timestamptz default now(),
    primary key (week_ending)
);

-- name: function
create or replace function otc.busiest_symbol_as_of(
    at timestamptz, first_week date default '-infinity', last_week date default 'infinity'
) returns setof otc.busiest_symbol language sql stable as $$
select distinct on (week.week_ending) week.week_ending, s.symbol, sum(s.total_volume) as volume, now()
from (select distinct week_ending from otc.loaded_as_of($1) where week_ending between $2 and $3) as week
inner join otc.symbol_summary as s on s.week_ending between week.week_ending - 7 and week.week_ending
where s.scope = 'ATS' and $1 is null
group by week.week_ending, s.symbol
order by week.week_ending, volume desc
$$;
""")
    resources.database().migrate()
    drive(taken(WEEK, 80), taken(NEXT, 10))
    busiest = "select symbol, volume::int from otc.busiest_symbol order by week_ending"
    assert sql(busiest) == [("AAA", 80), ("AAA", 90)]
    drive(taken(WEEK, 5))
    assert sql(busiest) == [("CCC", 30), ("CCC", 60)]
    sql("update otc.busiest_symbol set volume = 7 where week_ending = %s", NEXT)
    (wrong,) = compute.find_differences(resources.database(), NEXT)[0]["busiest_symbol"]
    assert wrong["differences"] == {"volume": ["7", "60.000000"]}
