"""Arrow and PostgreSQL's COPY: tables in as its binary format, rows out as CSV lines to Arrow batches."""

import re
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor

import pyarrow as pa
import pyarrow.csv
from pgpq import ArrowToPostgresBinaryEncoder

BLOCK_BYTES = 8 << 20  # of CSV in a batch that is read: memory does not grow with the number of rows
BATCH_ROWS = 8_192  # in a batch that is written: some 1 MB
TYPES: dict[str, pa.DataType] = {
    "int2": pa.int16(),
    "int4": pa.int32(),
    "int8": pa.int64(),
    "bool": pa.bool_(),
    "text": pa.string(),
    "date": pa.date32(),
    "timestamptz": pa.timestamp("us", "UTC"),
    "numeric": pa.decimal128(38, 6),  # unbounded in PostgreSQL, as for ratios that may be huge
}
_NUMERIC = re.compile(r"numeric\((\d+), ?(\d+)\)")


def arrow_type(name: str) -> pa.DataType:
    """Return the Arrow type of a PostgreSQL type such as `numeric(20,6)`; raises KeyError for an unknown type."""
    digits = _NUMERIC.fullmatch(name)
    return pa.decimal128(int(digits[1]), int(digits[2])) if digits else TYPES[name]


def encode(table: pa.Table) -> Iterator[bytes]:
    """Yield the bytes for `copy ... from stdin (format binary)`; the column types must match exactly."""
    encoder = ArrowToPostgresBinaryEncoder(table.schema)
    yield encoder.write_header()
    for batch in table.to_batches(max_chunksize=BATCH_ROWS):
        yield encoder.write_batch(batch)
    yield encoder.finish()


def batches(rows: Iterable[bytes], columns: Mapping[str, pa.DataType]) -> Iterator[pa.RecordBatch]:
    """Yield record batches from CSV lines without a header; the batch bounds depend on the content alone.

    One is made while the lines of the next are read.
    """
    with ThreadPoolExecutor(1) as thread:
        made: Future[pa.RecordBatch] | None = None
        for block in _blocks(rows):
            begun = thread.submit(_batch, block, columns)
            if made:
                yield made.result()
            made = begun
        if made:
            yield made.result()


def _blocks(rows: Iterable[bytes]) -> Iterator[bytearray]:
    block = bytearray()
    for row in rows:
        block += row
        if len(block) >= BLOCK_BYTES:
            yield block
            block = bytearray()
    if block:
        yield block


def _batch(block: bytearray, columns: Mapping[str, pa.DataType]) -> pa.RecordBatch:
    # The library's own streaming reader would read dozens of blocks ahead.
    table = pa.csv.read_csv(
        pa.py_buffer(block),
        pa.csv.ReadOptions(use_threads=False, block_size=len(block) + 1, column_names=list(columns)),
        pa.csv.ParseOptions(newlines_in_values=True),
        pa.csv.ConvertOptions(
            column_types=columns,
            null_values=[""],  # NA is a symbol, not a null
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
            true_values=["t"],
            false_values=["f"],
        ),
    )
    return table.combine_chunks().to_batches()[0]
