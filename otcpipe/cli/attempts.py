"""When work that failed is tried again."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime

from otcpipe.storage.postgres import Row
from otcpipe.text.printable import sentence


def next_attempt(attempts: Mapping[str, datetime], row: Row) -> datetime | None:
    """Return when the next attempt of a partition that waits for one begins; None if it does not wait."""
    if row["state"] != "queued":
        return None
    place = re.compile(rf"/{row['tier']}/{row['week_ending']}(/|$)")
    return min((at for key, at in attempts.items() if place.search(key)), default=None)


def with_time(reason: str | None, moment: datetime | None) -> str:
    """Return a reason as a sentence of its own before that of the next attempt; alone, it is unchanged."""
    reason = sentence(reason or "")
    following = f" Next attempt at {moment.astimezone(UTC):%H:%M:%S} UTC." if moment else ""
    is_open = moment and reason and not reason.endswith((".", "!", "?", "…"))
    return f"{reason}{'.' if is_open else ''}{following}".strip()
