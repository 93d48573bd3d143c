"""The actors of the pipeline, run by `dramatiq actors`. Importing a stage declares its actor on the broker."""

import dramatiq

from otcpipe.broker.actors import broker

dramatiq.set_broker(broker())

from actors.cache import cache_file  # noqa: E402 - the broker comes first
from actors.compute import compute_metrics  # noqa: E402
from actors.fetch import fetch_week  # noqa: E402
from actors.normalize import normalize_rows  # noqa: E402
from actors.parse import parse_file  # noqa: E402
from actors.persist import persist_records  # noqa: E402
from actors.publish import publish_week  # noqa: E402

__all__ = [
    "cache_file",
    "compute_metrics",
    "fetch_week",
    "normalize_rows",
    "parse_file",
    "persist_records",
    "publish_week",
]
