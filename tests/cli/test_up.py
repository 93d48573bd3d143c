"""What `otcpipe up` says of the ports that it chose."""

import pytest

from otcpipe import settings
from otcpipe.cli.up import _taken


def test_another_port_than_the_usual_one_has_its_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OTCPIPE_WEB_PORT", raising=False)
    assert _taken("WEB", settings.load({"OTCPIPE_WEB_PORT": "20001"})) == " (8421 is taken)"
    assert not _taken("WEB", settings.load({}))
    monkeypatch.setenv("OTCPIPE_WEB_PORT", "20001")
    assert not _taken("WEB", settings.load({"OTCPIPE_WEB_PORT": "20001"}))
