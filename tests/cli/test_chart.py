"""A symbol as a picture."""

import struct
import subprocess
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otcpipe.records import Partition
from otcpipe.report.picture import picture
from tests.support.pipeline import NOON, WEEK, api_text, drive, observe

Run = Callable[..., "subprocess.CompletedProcess[str]"]
PICTURE, WIDTH, LETTER = 760, 712, 7  # pixels of the picture, its plot, and of a letter at most
SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture
def loaded(environment: dict[str, str]) -> None:
    rows = [{}, {"MPID": "BBBB"}, {"issueSymbolIdentifier": "A/B<i>"}]
    drive(observe(api_text(rows, Partition(WEEK, "T1")), Partition(WEEK, "T1"), NOON, "all"))


@pytest.mark.usefixtures("loaded")
@pytest.mark.parametrize("symbol", ["ABC", "A/B<i>"])
def test_a_symbol_is_drawn_as_svg_that_any_program_reads(symbol: str, here: Run, tmp_path: Path) -> None:
    file = tmp_path / "one.svg"
    assert here("chart", symbol, "-o", file).returncode == 0
    drawn = ET.parse(file).getroot()
    assert drawn.tag == f"{SVG}svg"
    texts = [text.text for text in drawn.iter(f"{SVG}text")]
    assert texts[0] == symbol
    assert any("Data: FINRA" in str(text) for text in texts)
    assert len(list(drawn.iter(f"{SVG}rect"))) > 3


@pytest.mark.usefixtures("loaded")
def test_a_png_has_twice_the_size_for_sharp_screens(here: Run, tmp_path: Path) -> None:
    file = tmp_path / "one.png"
    assert here("chart", "ABC", "-o", file).returncode == 0
    content = file.read_bytes()
    assert content[:8] == b"\x89PNG\r\n\x1a\n"
    assert struct.unpack(">II", content[16:24]) == (1520, 1000)


@pytest.mark.usefixtures("loaded")
@pytest.mark.parametrize("name", ["one.gif", "one"])
def test_another_ending_is_one_clear_sentence_and_no_file(name: str, here: Run, tmp_path: Path) -> None:
    done = here("chart", "ABC", "-o", tmp_path / name)
    assert (done.returncode, done.stdout) == (2, "")
    assert "ends neither in .svg nor in .png" in done.stderr
    assert not (tmp_path / name).exists()


@pytest.mark.usefixtures("loaded")
def test_a_folder_that_does_not_exist_is_refused_and_not_made(here: Run, tmp_path: Path) -> None:
    for command in (("chart", "ABC"), ("report",)):
        done = here(*command, "-o", tmp_path / "mistyped" / "one.svg")
        assert (done.returncode, done.stdout) == (2, "")
        assert "There is no folder" in done.stderr
    assert not (tmp_path / "mistyped").exists()


def test_the_label_of_the_last_week_is_not_cut_off() -> None:
    """It is in the middle of a wide column, and ends at the edge where columns are narrow."""
    last = date(2025, 11, 14)
    for weeks in (7, 13, 26, 104):
        dates = [last - timedelta(weeks=back) for back in range(weeks)][::-1]
        values = {"volumes": [Decimal(5)] * weeks, "ats_volumes": [], "lows": [], "highs": [], "dates": dates}
        drawn = ET.fromstring(picture({"symbol": "A", "scope": "ATS", "as_of": None} | values))
        labels = [text for text in drawn.iter(f"{SVG}text") if "day" in text.get("class", "").split()]
        edges = ["edge" in text.get("class", "") for text in labels]
        middle = float(str(labels[-1].get("x")).removesuffix("%"))
        right = WIDTH * middle / 100 + (0 if edges[-1] else LETTER * len(str(labels[-1].text)) / 2)
        assert right <= WIDTH
        assert (any(edges[:-1]), edges[-1]) == (False, weeks > 13)


HHI = st.decimals(0, 10_000, places=2)


@given(st.lists(st.tuples(HHI, HHI).map(sorted), min_size=1, max_size=30), st.sampled_from(["ATS", "NON_ATS", "ALL"]))
def test_every_bar_is_inside_the_plot_and_every_text_inside_the_picture(
    ends: list[list[Decimal]], scope: str
) -> None:
    """An interval without width at the upper end of the scale was drawn above it, where it is not seen."""
    dates = [date(2025, 11, 14) - timedelta(weeks=back) for back in range(len(ends))][::-1]
    lows, highs = ([end[at] for end in ends] for at in (0, 1))
    values = {"dates": dates, "volumes": [*lows], "ats_volumes": [], "lows": lows, "highs": highs}
    moment = datetime(2026, 5, 21, 3, 59, 59, tzinfo=UTC)
    drawn = ET.fromstring(picture({"symbol": "LONGSYMBOL.PRA", "scope": scope, "as_of": moment} | values))
    plots = [one for one in drawn.iter(f"{SVG}svg") if one.get("viewBox") and one is not drawn]
    assert len(plots) == 2
    for plot in plots:
        height = float(str(plot.get("viewBox")).split()[3])
        for bar in plot.iter(f"{SVG}rect"):
            above, tall = float(str(bar.get("y"))), float(str(bar.get("height")))
            assert -0.1 <= above <= above + tall <= height + 0.1
    head, about = list(drawn.iter(f"{SVG}text"))[:2]
    assert [text.text for text in head] == ["as known on 20 May 2026, 23:59 New York"]
    assert 24 + LETTER * len(about.text or "") < PICTURE
