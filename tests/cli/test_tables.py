"""Tables keep their key columns at any width, wrap prose, and say how many columns they leave out."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otcpipe.cli.console import print_table
from otcpipe.cli.tables import GAP, LEAST, Column, layout, render

COLUMNS = {
    "week_ending": Column("week ending", 0),
    "tier": Column("tier", 0),
    "state": Column("state", 0),
    "grade": Column("grade", 1),
    "rows": Column("rows", 2),
    "totals": Column("totals", 3),
    "reason": Column("reason", 0, is_prose=True),
}
KEYS = {name for name, column in COLUMNS.items() if column.priority == 0}
texts = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z", "M"]), max_size=300)
rows = st.lists(
    st.fixed_dictionaries(
        {name: texts if name == "reason" else texts.map(lambda text: text[:14]) for name in COLUMNS}
    ),
    max_size=5,
)


def total(widths: list[int]) -> int:
    return sum(widths) + GAP * (len(widths) - 1)


@given(rows, st.integers(60, 300))
def test_key_columns_are_shown_at_any_width(cells: list[dict[str, str]], width: int) -> None:
    chosen = layout(COLUMNS, cells, width)
    assert chosen.widths.keys() >= KEYS
    assert len(chosen.widths) + chosen.omitted == len(COLUMNS)
    assert total([*chosen.widths.values()]) <= width or chosen.widths["reason"] == LEAST


@given(rows, st.integers(60, 300))
def test_a_column_is_left_out_only_where_there_is_no_room(cells: list[dict[str, str]], width: int) -> None:
    whole, chosen = layout(COLUMNS, cells, None), layout(COLUMNS, cells, width)
    assert whole.omitted == 0
    if total([*whole.widths.values()]) <= width:
        assert chosen == whole


@given(rows)
def test_columns_go_in_the_order_of_their_priority(cells: list[dict[str, str]]) -> None:
    shown = [layout(COLUMNS, cells, width).widths.keys() for width in range(200, 20, -5)]
    for names in shown:
        if "totals" in names:
            assert "rows" in names
        if "rows" in names:
            assert "grade" in names


@given(rows, st.integers(60, 300))
def test_every_character_of_a_cell_is_printed(cells: list[dict[str, str]], width: int) -> None:
    table = render(COLUMNS, cells, {"rows"}, width)
    printed = "\n".join([*table.heading, *table.lines])
    names = layout(COLUMNS, cells, width).widths
    expected = sorted("".join(row[name] for row in cells for name in names))
    headings = "".join(COLUMNS[name].heading for name in names)
    assert sorted(printed.replace(" ", "").replace("\n", "")) == sorted([*expected, *headings.replace(" ", "")])


def test_shares_before_and_after_have_as_many_decimals(capsys: pytest.CaptureFixture[str]) -> None:
    columns = {name: Column(name, 0) for name in ("volume_before", "volume_after")}
    pairs = [("166738.000000", "161084.000000"), ("1.000000", "0.250000")]
    print_table(columns, [dict(zip(columns, map(Decimal, pair), strict=True)) for pair in pairs])
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert lines[-2:] == [["166,738.00", "161,084.00"], ["1.00", "0.25"]]
