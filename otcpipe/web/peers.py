"""Which user of this machine a connection comes from, as the kernel of Linux knows it."""

import socket
import struct
from ipaddress import ip_address
from pathlib import Path
from typing import NamedTuple

Address = tuple[str, int]
NETLINK_SOCK_DIAG, SOCK_DIAG_BY_FAMILY, NLM_F_REQUEST = 4, 20, 1  # of linux/netlink.h and linux/sock_diag.h
ESTABLISHED = 1
ANY, NO_COOKIE = 0xFFFFFFFF, (0xFFFFFFFF, 0xFFFFFFFF)
HEADER, REQUEST, ENDS, COOKIE = "=IHHII", "=BBBBI", "!HH16s16s", "=III"  # of linux/inet_diag.h
STATE_AT, USER_AT = 17, 80  # bytes of an answer before its state, and before its user
LOCAL, REMOTE, STATE, USER = 1, 2, 3, 7  # fields of a line of /proc/net/tcp


class Peer(NamedTuple):
    """The state of one end of a connection, and its user."""

    state: int
    user: int


def user_of(client: Address, server: Address) -> int | None:
    """Return the user id at the other end of a connection within this machine; None if it is unknown."""
    try:
        peer = _asked(client, server) or _listed(client, server)
    except (OSError, AttributeError):  # not Linux, or a closed /proc
        return None
    return peer.user if peer and peer.state == ESTABLISHED else None


def _asked(client: Address, server: Address) -> Peer | None:
    """Ask the kernel for one connection, which takes it 50 µs; None if it does not answer such questions."""
    family = _family(client)
    ends = struct.pack(ENDS, client[1], server[1], *(_packed(one).ljust(16, b"\0") for one in (client, server)))
    body = struct.pack(REQUEST, family, socket.IPPROTO_TCP, 0, 0, ANY) + ends + struct.pack(COOKIE, 0, *NO_COOKIE)
    length = struct.calcsize(HEADER) + len(body)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_SOCK_DIAG) as kernel:
        kernel.send(struct.pack(HEADER, length, SOCK_DIAG_BY_FAMILY, NLM_F_REQUEST, 0, 0) + body)
        answer = kernel.recv(4096)
    if struct.unpack_from(HEADER, answer)[1] != SOCK_DIAG_BY_FAMILY:
        return None
    return Peer(answer[STATE_AT], struct.unpack_from("=I", answer, USER_AT)[0])


def _listed(client: Address, server: Address) -> Peer | None:
    """Find a connection in the kernel's list of all, which takes it 10 ms and more."""
    table = Path("/proc/net/tcp6" if _family(client) == socket.AF_INET6 else "/proc/net/tcp")
    ends = [_hexadecimal(client), _hexadecimal(server)]
    for line in table.read_text(encoding="ascii").splitlines()[1:]:
        fields = line.split()
        if [fields[LOCAL], fields[REMOTE]] == ends:
            return Peer(int(fields[STATE], 16), int(fields[USER]))
    return None


def _family(address: Address) -> socket.AddressFamily:
    return socket.AF_INET6 if ip_address(address[0]).version == 6 else socket.AF_INET  # noqa: PLR2004


def _packed(address: Address) -> bytes:
    return socket.inet_pton(_family(address), address[0])


def _hexadecimal(address: Address) -> str:
    """Return an address as the kernel prints it: words of four bytes in the machine's order."""
    packed = _packed(address)
    words = struct.unpack(f"={len(packed) // 4}I", packed)
    return f"{''.join(f'{word:08X}' for word in words)}:{address[1]:04X}"
