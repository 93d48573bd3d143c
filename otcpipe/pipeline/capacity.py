"""What a backfill takes: requests to FINRA, time, disk and memory, by the usual sizes of the dataset."""

from collections.abc import Iterable
from dataclasses import dataclass
from math import ceil

from otcpipe.datasets import WEEKLY
from otcpipe.records import Partition
from otcpipe.text.counting import counted

ROWS_A_PAGE = 4_999  # FINRA's 5,000, of which one is read again by the next page
RECORDS_OF_100_ROWS = 85  # the others are totals
TABLE_BYTES = 230  # of a record with its indexes; as all bytes, measured on 249 weeks
DATABASE_BYTES = 396  # of a record, with what its metrics take
OBJECT_BYTES = 99  # of a record: raw and derived objects
SECONDS_A_WEEK = 4.1  # behind FINRA's limit, on two cores
WORKER_BYTES = 370 * 10**6
SERVER_BYTES = 2_500 * 10**6  # PostgreSQL, SeaweedFS and Valkey as `otcpipe up` starts them
LOG_BYTES = 4 * 10**9  # PostgreSQL's max_wal_size
MINUTE = 60  # seconds
_USUAL_ROWS = {tier.name: tier.usual_rows for tier in WEEKLY.tiers}


@dataclass(frozen=True)
class Capacity:
    """What some partitions take. Seconds are the least: FINRA's limit, or the work behind it if that is slower."""

    weeks: int
    partitions: int
    requests: int
    seconds: int
    rows: int
    records: int
    table_bytes: int
    database_bytes: int
    object_bytes: int
    memory_bytes: int

    @property
    def disk_bytes(self) -> int:
        """The disk that is needed while it runs: database, objects, and PostgreSQL's log."""
        return self.database_bytes + self.object_bytes + LOG_BYTES

    def effort(self, rate: int) -> str:
        """Say how many requests and how much time it takes at so many requests a second."""
        return f"{counted(self.requests, 'request')} to FINRA, at most {rate} a second, in at least {self.time}"

    @property
    def time(self) -> str:
        """The least time in words: seconds below a minute, else whole minutes."""
        minutes = -(-self.seconds // MINUTE)
        return counted(self.seconds, "second") if self.seconds < MINUTE else counted(minutes, "minute")


def usual_requests(partition: Partition) -> int:
    """Return how many requests an ordinary partition takes: its pages, of which the first is read twice."""
    return ceil(_USUAL_ROWS[partition.tier] / ROWS_A_PAGE) + 1


def of(partitions: Iterable[Partition], rate: int, workers: int = 2) -> Capacity:
    """Return what the partitions take at so many requests a second, with so many workers."""
    chosen = list(partitions)
    rows = sum(_USUAL_ROWS[one.tier] for one in chosen)
    requests, records = sum(map(usual_requests, chosen)), rows * RECORDS_OF_100_ROWS // 100
    return Capacity(
        weeks=len({one.week_ending for one in chosen}),
        partitions=len(chosen),
        requests=requests,
        seconds=ceil(max(requests / rate, rows / sum(_USUAL_ROWS.values()) * SECONDS_A_WEEK)),
        rows=rows,
        records=records,
        table_bytes=records * TABLE_BYTES,
        database_bytes=records * DATABASE_BYTES,
        object_bytes=records * OBJECT_BYTES,
        memory_bytes=SERVER_BYTES + workers * WORKER_BYTES,
    )
