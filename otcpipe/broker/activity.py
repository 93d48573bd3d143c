"""Redis keys in which workers record that they are alive and that messages move."""

import socket
from typing import Any

from otcpipe.broker.key_types import NAMESPACE

CONSUMER_SECONDS = 30  # until a consumer counts as gone; a live one reports every five seconds


def consumer_key(queue: str, host: str) -> str:
    """Return the key that exists for half a minute after a worker on `host` looked for messages in the queue."""
    return f"{NAMESPACE}:consumer:{queue}:{host}"


def moved_key(queue: str) -> str:
    """Return the key that holds when a message was last taken or done, or the queue was empty: a server time in s."""
    return f"{NAMESPACE}:moved:{queue}"


def report(client: Any, queue: str, *, has_moved: bool) -> None:
    """Record that a worker of this machine consumes a queue, and whether messages moved since the last report."""
    client.set(consumer_key(queue, this_host()), 1, ex=CONSUMER_SECONDS)
    client.set(moved_key(queue), client.time()[0], nx=not has_moved)


def this_host() -> str:
    """Return the name under which this machine's workers report."""
    return socket.gethostname()
