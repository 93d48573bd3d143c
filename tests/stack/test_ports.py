"""The ports of a home."""

import json
import socket
from pathlib import Path

import pytest

from otcpipe.stack import ports
from otcpipe.stack.program import PORTS


def test_a_port_stays_until_another_program_takes_it(tmp_path: Path) -> None:
    kept = {name: ports.keep(tmp_path, name) for name in ("postgres", "valkey", "s3")}
    assert len(set(kept.values())) == 3
    assert {name: ports.keep(tmp_path, name) for name in kept} == kept
    with socket.create_server(("127.0.0.1", kept["valkey"])):
        other = ports.keep(tmp_path, "valkey")
    assert other not in kept.values()
    assert ports.keep(tmp_path, "valkey") == other, "the new one stays"
    assert ports.keep(tmp_path, "postgres") == kept["postgres"]


@pytest.mark.parametrize(
    "text", ["", "[1]", "{", '{"s3": "80"}', '{"s3": 80}', '{"s3": true}', '{"s3": -1}', "\udcff"]
)
def test_a_file_of_ports_that_is_damaged_is_replaced(tmp_path: Path, text: str) -> None:
    (tmp_path / "ports.json").write_bytes(text.encode(errors="surrogateescape"))
    port = ports.keep(tmp_path, "s3")
    assert port in PORTS
    assert json.loads((tmp_path / "ports.json").read_text())["s3"] == port


def test_two_names_never_share_a_port(tmp_path: Path) -> None:
    port = ports.keep(tmp_path, "one")
    (tmp_path / "ports.json").write_text(json.dumps({"one": port, "two": port}))
    assert ports.keep(tmp_path, "two") != port
