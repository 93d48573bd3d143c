"""The floor of each stage: the least that moving the same bytes and rows costs on this machine."""

import gzip
import os
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from benchmark.measure import Cost, measured
from otcpipe import resources
from otcpipe.storage import copy_format, gz, objects, sql
from otcpipe.storage.keys import sha256
from otcpipe.text.tables import Normalized


def cache(content: bytes, folder: Path, cost: Cost) -> None:
    """Write the compressed bytes to a file and flush it to disk."""
    with measured(cost), (folder / "floor").open("wb") as file:
        file.write(gz.compress(content))
        file.flush()
        os.fsync(file.fileno())


def parse(content: bytes, cost: Cost) -> None:
    """Expand and hash the bytes."""
    packed = gz.compress(content)
    with measured(cost):
        sha256(gzip.decompress(packed))


def normalize(rows: Normalized, cost: Cost) -> None:
    """Write the typed rows as Parquet."""
    with measured(cost):
        objects.parquet_bytes(rows.kept)


def persist(incoming: pa.Table, cost: Cost) -> None:
    """COPY the same rows, already encoded, into a table with the same indexes."""
    encoded = b"".join(copy_format.encode(incoming))
    with resources.database().transaction() as transaction:
        transaction.connection.execute(
            "create table if not exists bare (like otc_internal.volume_record including indexes)"
        )
    statement = sql.statements()["copy_records"].replace("volume_record", "bare")
    with (
        measured(cost),
        resources.database().transaction() as transaction,
        transaction.connection.cursor().copy(statement) as copy,
    ):
        copy.write(encoded)


def publish(lake: Path, cost: Cost) -> None:
    """Write the rows of each file of a lake as Parquet."""
    tables = [pq.ParquetFile(path).read() for path in sorted(lake.rglob("*.parquet"))]
    with measured(cost):
        for rows in tables:
            pq.write_table(rows, pa.BufferOutputStream(), compression="zstd")


def compute(week: date, cost: Cost) -> None:
    """Sum the week's records by symbol and venue, in one pass."""
    with measured(cost), resources.database().transaction() as transaction:
        transaction.connection.execute(
            """
            create temporary table floor on commit drop as
            select symbol, tier, venue_type, mpid, firm_crd, sum(share_volume) as shares, sum(trade_count) as trades
            from otc_internal.volume_record where week_ending = %s and closed_by is null group by 1, 2, 3, 4, 5
            """,
            [week],
        )
