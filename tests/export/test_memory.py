"""Histories of many weeks take no more memory than those of a few."""

import json
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from otcpipe import resources
from otcpipe.metrics import history
from otcpipe.records import Partition
from tests.support.pipeline import NOON, WEEK, drive, file_text, observe

Sql = Callable[..., list[tuple[Any, ...]]]
FEW, MANY, SYMBOLS = 3, 12, 20_000
ALLOWED = 12  # MB: the rows of twelve weeks take several times that
EXPORT = """
import json, sys
from datetime import date
from pathlib import Path
from otcpipe import resources
from otcpipe.export import Request, export, lake, manifest
from otcpipe.export.target import Folder
form, folder, first = sys.argv[1], Path(sys.argv[2]), date.fromisoformat(sys.argv[3])
rows = []
if form == "lake":
    lake.publish(resources.database(), Folder(folder), ["symbol_summary"], first)
    rows = [one["rows"] for one in json.loads((folder / manifest.MANIFEST).read_bytes())["files"]]
else:
    request = Request(
        "symbol_summary", form, folder, first, is_history=True, is_single_file=folder.name.startswith("single")
    )
    export(resources.database(), request, lambda week, number: rows.append(number))
peak = next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(json.dumps({"rows": sum(rows), "weeks": len(rows), "peak": int(peak) >> 10}))
"""


@pytest.fixture
def filled(environment: dict[str, str], sql: Sql) -> None:
    """Weeks of a symbol with a history, and then of very many symbols like it."""
    weeks = [WEEK + timedelta(days=7 * number) for number in range(MANY)]
    text = file_text([("ABC", "AAAA", 500, 5)])
    drive(*[observe(text, Partition(week, "OTCE"), NOON + timedelta(days=120)) for week in weeks])
    history.build(resources.database())
    columns = sql("select columns from otc_internal.metric_columns('symbol_summary')")[0][0]
    sql(
        f"insert into otc.symbol_summary ({columns})"
        f" select {columns.replace('symbol,', 'symbol || number,')}"
        " from otc.symbol_summary cross join generate_series(1, %s) as number where scope = 'ATS'",
        SYMBOLS,
    )


def measured(form: str, folder: Path, weeks: int) -> dict[str, int]:
    first = WEEK + timedelta(days=7 * (MANY - weeks))
    command = [sys.executable, "-c", EXPORT, form, str(folder), str(first)]
    found = subprocess.run(command, check=True, capture_output=True, text=True, timeout=120)
    answer: dict[str, int] = json.loads(found.stdout)
    return answer


def test_the_peak_does_not_grow_with_the_number_of_weeks(filled: None, tmp_path: Path) -> None:
    for form, name in (("parquet", "weeks"), ("csv", "single"), ("lake", "lake")):
        few, many = (measured(form, tmp_path / f"{name}-{weeks}", weeks) for weeks in (FEW, MANY))
        assert (few["weeks"], many["weeks"]) == (FEW, MANY)
        assert many["rows"] == 4 * few["rows"] == MANY * (SYMBOLS + 1)
        assert many["peak"] < few["peak"] + ALLOWED, name
