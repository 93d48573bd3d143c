"""Which user of this machine a connection comes from, as the kernel of Linux knows it."""

import socket
import struct
from ipaddress import ip_address
from pathlib import Path

ESTABLISHED = "01"
LOCAL, REMOTE, STATE, USER = 1, 2, 3, 7  # fields of a line of /proc/net/tcp
Address = tuple[str, int]


def user_of(client: Address, server: Address) -> int | None:
    """Return the user id at the other end of a connection within this machine; None if it is unknown."""
    table = Path("/proc/net/tcp6" if ip_address(client[0]).version == 6 else "/proc/net/tcp")  # noqa: PLR2004
    ends = [_hexadecimal(*client), _hexadecimal(*server)]
    try:
        lines = table.read_text(encoding="ascii").splitlines()[1:]
    except OSError:  # not Linux, or a closed /proc
        return None
    for line in lines:
        fields = line.split()
        if [fields[LOCAL], fields[REMOTE]] == ends and fields[STATE] == ESTABLISHED:
            return int(fields[USER])
    return None


def _hexadecimal(host: str, port: int) -> str:
    """Return an address as the kernel prints it: words of four bytes in the machine's order."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    packed = socket.inet_pton(family, host)
    words = struct.unpack(f"={len(packed) // 4}I", packed)
    return f"{''.join(f'{word:08X}' for word in words)}:{port:04X}"
