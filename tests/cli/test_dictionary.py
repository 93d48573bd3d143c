"""The name of a column lists the tables that have it."""

import json
import subprocess
from collections.abc import Callable

import pytest

Here = Callable[..., subprocess.CompletedProcess[str]]


@pytest.mark.parametrize("name", ["hhi_upper", "HHI-Upper"])
def test_a_column_lists_its_tables_with_unit_and_formula(here: Here, name: str) -> None:
    found = here("tables", name, "--json")
    rows = json.loads(found.stdout)
    assert found.returncode == 0
    assert {"symbol_concentration", "concentration_change"} < {row["table"] for row in rows}
    assert all("10,000 x (unnamed volume)^2" in row["description"] for row in rows)
    assert {(row["column"], row["unit"]) for row in rows} == {("hhi_upper", "0 to 10,000")}


@pytest.mark.parametrize(
    ("name", "hint"), [("hhi_uper", "did you mean hhi_upper?"), ("nonsense", "`otcpipe tables` lists the tables.")]
)
def test_a_name_of_neither_is_refused_with_the_nearest(here: Here, name: str, hint: str) -> None:
    found = here("tables", name)
    assert found.returncode == 2
    assert found.stderr == f"otcpipe: {name!r} is neither a table nor a column: {hint}\n"
