"""Rows side by side are divided into tables, so that no number and no name is ever cut."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from otcpipe.cli.tables import GAP
from otcpipe.cli.transposed import divided
from otcpipe.records import Partition
from tests.support.pipeline import WEEK, api_text, drive, observe
from tests.support.terminal import in_terminal

VOLUME = 987_654_321_098
sizes = st.lists(st.integers(1, 30), min_size=1, max_size=12)


@given(st.integers(0, 28), sizes, st.integers(60, 200))
def test_every_table_fits_and_every_column_is_in_one(first: int, widths: list[int], width: int) -> None:
    tables = divided(first, widths, width)
    assert [at for table in tables for at in table] == list(range(len(widths)))
    assert all(first + sum(GAP + widths[at] for at in table) <= width for table in tables)
    assert divided(first, widths, None) == [range(len(widths))]


@pytest.mark.parametrize("width", [60, 80, 120])
def test_the_numbers_of_three_tiers_are_whole_in_any_terminal(environment: dict[str, str], width: int) -> None:
    for number, tier in enumerate(("T1", "T2", "OTCE")):
        partition = Partition(WEEK, tier)
        rows: list[dict[str, object]] = [{"totalWeeklyShareQuantity": f"{VOLUME - number}.250000"}]
        drive(observe(api_text(rows, partition), partition, covers="all"))
    (screen,) = in_terminal(width, f"explain ABC --week {WEEK} --no-pager").split("==> ")[1:]
    metrics = screen.partition("from FINRA")[0]
    for words in ("T1 ATS", "OTCE ALL", "avg_trade_size", "total_volume", "trend", *_volumes()):
        assert words in metrics
    tables = [line for line in metrics.splitlines()[1:] if "  " in line]
    assert max(map(cell_len, tables)) <= width
    assert "widen the terminal" not in screen


def _volumes() -> list[str]:
    return [f"{VOLUME - number:,}.25" for number in range(3)]
