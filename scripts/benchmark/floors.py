"""The least that each stage could cost here and now: the same bytes and rows, and nothing done with them."""

import gzip
import os
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.csv

from benchmark.measure import Cost, measured
from otcpipe import gz, objects, services
from otcpipe.keys import sha256
from otcpipe.records import Normalized

INDEXES = (
    """create unique index on bare
    (week_ending, tier, symbol, mpid, firm_crd, issue_name_id, product_type, venue_type)
    nulls not distinct where ended_by is null""",
    "create index on bare (symbol, week_ending)",
)


def cache(content: bytes, folder: Path, cost: Cost) -> None:
    """The compressed bytes written to a file and flushed to the disk."""
    with measured(cost), (folder / "floor").open("wb") as file:
        file.write(gz.compress(content))
        file.flush()
        os.fsync(file.fileno())


def parse(content: bytes, cost: Cost) -> None:
    """The bytes expanded and hashed."""
    packed = gz.compress(content)
    with measured(cost):
        sha256(gzip.decompress(packed))


def normalize(rows: Normalized, cost: Cost) -> None:
    """The typed rows written as Parquet."""
    both = pa.concat_tables([rows.records, rows.totals])
    with measured(cost):
        objects.parquet_bytes(both)


def persist(incoming: pa.Table, cost: Cost) -> None:
    """A bare COPY of the same rows, as text that is ready, into a table with the same indexes."""
    sink = pa.BufferOutputStream()
    pa.csv.write_csv(incoming, sink, pa.csv.WriteOptions(include_header=False))
    text = sink.getvalue().to_pybytes()
    with services.warehouse().transaction() as transaction:
        run = transaction.connection.execute
        if not run("select to_regclass('bare') is not null as is_there").fetchall()[0]["is_there"]:
            run("create table bare (like otc.volume_record)")
            for index in INDEXES:
                run(index.encode())
    with (
        measured(cost),
        services.warehouse().transaction() as transaction,
        transaction.connection.cursor().copy("copy bare from stdin (format csv)") as copy,
    ):
        copy.write(text)


def compute(week: date, cost: Cost) -> None:
    """One pass over the week's records that adds them up by symbol and venue."""
    with measured(cost), services.warehouse().transaction() as transaction:
        transaction.connection.execute(
            """
            create temporary table floor on commit drop as
            select symbol, tier, venue_type, mpid, firm_crd, sum(share_volume) as shares, sum(trade_count) as trades
            from otc.volume_record where week_ending = %s and ended_by is null group by 1, 2, 3, 4, 5
            """,
            [week],
        )
