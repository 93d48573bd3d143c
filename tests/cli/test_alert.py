"""The list of what needs a person, in narrow terminals."""

import pytest

from otcpipe.cli.alert import COLUMNS
from otcpipe.cli.tables import layout

ROW = {
    "kind": "unreconciled",
    "sentence": "T1 2026-03-20 differs from FINRA's own totals in 12 symbols, as the newest capture has them.",
    "command": "otcpipe verify --week 2026-03-20",
}


@pytest.mark.parametrize("width", [60, 80, 120])
def test_what_happened_is_never_left_out(width: int) -> None:
    found = layout(COLUMNS, [ROW], width)
    assert (list(found.widths), found.omitted) == (["kind", "sentence", "command"], 0)
    assert sum(found.widths.values()) + 4 <= width
