"""Long work says how far it is, beside its answer."""

import pytest

from otcpipe.cli.progress import track


def test_a_log_has_a_line_now_and_then_and_the_answer_none(capsys: pytest.CaptureFixture[str]) -> None:
    assert list(track(["a", "b", "c"], "counting", pause=0)) == ["a", "b", "c"]
    assert list(track(["a", "b", "c"], "counting")) == ["a", "b", "c"]
    printed = capsys.readouterr()
    assert printed.err.splitlines() == ["counting: 0 of 3", "counting: 1 of 3", "counting: 2 of 3"]
    assert printed.out == ""
