"""The ports of a home, which stay the same from one start to the next unless another program took one."""

import json
from pathlib import Path

from otcpipe.stack import private
from otcpipe.stack.program import PORTS, free_ports, is_free


def keep(home: Path, name: str) -> int:
    """Return the port that this home used before under a name, else a free one, which is recorded.

    The caller holds the lock of the home. A file of ports that cannot be read counts as empty.
    """
    file = home / "ports.json"
    known = _read(file)
    port = known.get(name)
    others = {other for one, other in known.items() if one != name}
    if port is None or port not in PORTS or port in others or not is_free(port):
        port = next(free for free in free_ports(len(others) + 1) if free not in others)
        private.write(file, json.dumps({**known, name: port}, indent=2) + "\n")
    return port


def _read(file: Path) -> dict[str, int]:
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    if not isinstance(found, dict):
        return {}
    return {name: port for name, port in found.items() if type(port) is int}
