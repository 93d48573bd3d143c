"""Fetch: choose the dataset that has a partition, and decide what it means if none has it."""

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from otcpipe.errors import Defective, Permanent
from otcpipe.finra.client import HISTORIC, Finra
from otcpipe.finra.threads import threads
from otcpipe.records import CompletePartition, Manifest, Page, Partition, StageResult
from otcpipe.stages import paging
from otcpipe.storage import observations
from otcpipe.storage.keys import sha256
from otcpipe.storage.s3 import ObjectStore

ROLLING_SPAN = timedelta(days=360)  # of the rolling dataset: documented as twelve months, seen to be far more


class TimestampedFinra:
    """FINRA, with the moment of the newest page request, which becomes the observation's time.

    The last page proves the others. After it a worker may be paused while FINRA publishes a new version, which
    another worker observes: dated by the time of storing, the older content would become the newer capture.
    """

    def __init__(self, finra: Finra, clock: Callable[[], datetime]) -> None:
        self._finra = finra
        self._clock = clock
        self.requested_at = clock()

    def page(self, *arguments: Any, **options: Any) -> Page:
        """Read a page, as `Finra.page` does."""
        self.requested_at = self._clock()
        return self._finra.page(*arguments, **options)

    def partitions(self) -> set[Partition]:
        """Return the partitions that FINRA lists."""
        return self._finra.partitions()


def fetch_partition(
    finra: Finra | TimestampedFinra, partition: Partition, now: datetime, *, is_captured: bool
) -> CompletePartition | None:
    """Return the partition, proven complete; None while it is not published.

    Raises Permanent if the partition was captured before: an empty answer must not withdraw all its records. Raises
    Defective if FINRA lists the partition but returns no rows.
    """
    found = paging.read_partition(partition, partial(finra.page, partition))
    if found is None and now.date() - partition.week_ending > ROLLING_SPAN:
        found = paging.read_partition(partition, partial(finra.page, partition, dataset=HISTORIC))
    if found is None and partition in _listed(finra):
        raise Defective("FINRA lists the partition but returned no rows of it.")
    if found is None and is_captured:
        raise Permanent("FINRA returned no rows for a partition that has captures; its records are unchanged.")
    return found


def _listed(finra: Finra | TimestampedFinra) -> set[Partition]:
    with threads(1) as pool:
        return pool.one(finra.partitions)


def store_result(
    store: ObjectStore, prefix: str, partition: Partition, found: CompletePartition | None, now: datetime
) -> StageResult:
    """Store the observation and return its key; without a key if the partition is not published."""
    if found is None:
        return StageResult(None, reason=f"not published yet as of {now:%Y-%m-%d %H:%M} UTC")
    digest = sha256(found.content)
    manifest = Manifest("api", "all", digest, now, found.total, found.pages, found.request_ids)
    key = observations.store_observation(
        store, prefix, partition, found.content, manifest, f"api {digest} {now.isoformat()}"
    )
    return StageResult(str(key), counts={"rows": found.total, "pages": found.pages})
