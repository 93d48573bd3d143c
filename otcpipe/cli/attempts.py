"""When work that failed is tried again."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime

from otcpipe.storage.postgres import Row


def next_attempt(attempts: Mapping[str, datetime], row: Row) -> datetime | None:
    """Return when the next attempt of a partition that waits for one begins; None if it does not wait."""
    if row["state"] != "queued":
        return None
    place = re.compile(rf"/{row['tier']}/{row['week_ending']}(/|$)")
    return min((at for key, at in attempts.items() if place.search(key)), default=None)


def at_time(moment: datetime | None) -> str:
    """Return " Next attempt at 14:03:20 UTC.", or nothing."""
    return f" Next attempt at {moment.astimezone(UTC):%H:%M:%S} UTC." if moment else ""
