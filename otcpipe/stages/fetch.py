"""What the fetch stage decides: which dataset has the partition, and what it means that none has."""

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from otcpipe.errors import Defective, Permanent
from otcpipe.finra import HISTORIC, Finra
from otcpipe.finra.threads import threads
from otcpipe.records import CompletePartition, Manifest, Page, Partition, StageResult
from otcpipe.stages import download
from otcpipe.storage import observations
from otcpipe.storage.keys import sha256
from otcpipe.storage.s3 import ObjectStore

ROLLING_SPAN = timedelta(days=360)  # documented as twelve months; seen to hold far more


class TimestampedFinra:
    """FINRA, with the moment at which the newest page was asked for: that of an observation.

    The last page proves the others. A worker may be paused at any time after it, while FINRA publishes something else
    that another worker observes: dated when it is stored, the older content would be the newer capture.
    """

    def __init__(self, finra: Finra, clock: Callable[[], datetime]) -> None:
        self._finra = finra
        self._clock = clock
        self.asked_at = clock()

    def page(self, *place: Any, **options: Any) -> Page:
        """A page, as FINRA gives it."""
        self.asked_at = self._clock()
        return self._finra.page(*place, **options)

    def partitions(self) -> set[Partition]:
        """The partitions that FINRA lists."""
        return self._finra.partitions()


def fetch_partition(
    finra: Finra | TimestampedFinra, partition: Partition, now: datetime, *, is_captured: bool
) -> CompletePartition | None:
    """The partition, proven complete; None while it is not published.

    Raises Permanent when it was there before: no rows are no withdrawal of everything. Raises Defective when
    FINRA's own list has it.
    """
    found = download.read_partition(partition, partial(finra.page, partition))
    if found is None and now.date() - partition.week_ending > ROLLING_SPAN:
        found = download.read_partition(partition, partial(finra.page, partition, dataset=HISTORIC))
    if found is None and partition in _listed(finra):
        raise Defective("FINRA lists the partition but gave no rows of it.")
    if found is None and is_captured:
        raise Permanent("FINRA gives no rows for a partition that has captures; they stay as they are.")
    return found


def _listed(finra: Finra | TimestampedFinra) -> set[Partition]:
    with threads(1) as pool:
        return pool.one(finra.partitions)


def store_result(
    store: ObjectStore, prefix: str, partition: Partition, found: CompletePartition | None, now: datetime
) -> StageResult:
    """Deposit what was found, as observed at a moment; nothing follows from a partition that is not published."""
    if found is None:
        return StageResult(None, reason=f"not published yet, as asked at {now:%Y-%m-%d %H:%M} UTC")
    digest = sha256(found.content)
    manifest = Manifest("api", "all", digest, now, found.total, found.pages, found.request_ids)
    key = observations.store_observation(
        store, prefix, partition, found.content, manifest, f"api {digest} {now.isoformat()}"
    )
    return StageResult(str(key), counts={"rows": found.total, "pages": found.pages})
