"""Rows as PostgreSQL copies them: Arrow batches in, in its binary format; CSV, a line a row, out to Arrow batches."""

import re
from collections.abc import Iterable, Iterator, Mapping

import pyarrow as pa
import pyarrow.csv
from pgpq import ArrowToPostgresBinaryEncoder

BLOCK = 8 << 20  # bytes of CSV to a batch: memory does not grow with the rows
ROWS = 65_536  # to a batch on the way in
TYPES: dict[str, pa.DataType] = {
    "int2": pa.int16(),
    "int4": pa.int32(),
    "int8": pa.int64(),
    "bool": pa.bool_(),
    "text": pa.string(),
    "date": pa.date32(),
    "timestamptz": pa.timestamp("us", "UTC"),
    "numeric": pa.decimal128(38, 6),  # without bounds of its own, as for ratios that may be huge
}
_NUMERIC = re.compile(r"numeric\((\d+), ?(\d+)\)")


def arrow_type(name: str) -> pa.DataType:
    """The Arrow type of a PostgreSQL type such as `numeric(20,6)`; raises KeyError where there is none."""
    digits = _NUMERIC.fullmatch(name)
    return pa.decimal128(int(digits[1]), int(digits[2])) if digits else TYPES[name]


def encoded(table: pa.Table) -> Iterator[bytes]:
    """A table for `copy ... from stdin (format binary)`, whose columns have just the types of the Arrow ones."""
    encoder = ArrowToPostgresBinaryEncoder(table.schema)
    yield encoder.write_header()
    for batch in table.to_batches(max_chunksize=ROWS):
        yield encoder.write_batch(batch)
    yield encoder.finish()


def batches(rows: Iterable[bytes], columns: Mapping[str, pa.DataType]) -> Iterator[pa.RecordBatch]:
    """Lines of CSV without a header as batches, whose bounds depend on the content alone."""
    block = bytearray()
    for row in rows:
        block += row
        if len(block) >= BLOCK:
            yield _batch(block, columns)
            block = bytearray()
    if block:
        yield _batch(block, columns)


def _batch(block: bytearray, columns: Mapping[str, pa.DataType]) -> pa.RecordBatch:
    # Whole, and not by the library's own stream, which reads dozens of blocks ahead.
    table = pa.csv.read_csv(
        pa.py_buffer(block),
        pa.csv.ReadOptions(use_threads=False, block_size=len(block) + 1, column_names=list(columns)),
        pa.csv.ParseOptions(newlines_in_values=True),
        pa.csv.ConvertOptions(
            column_types=columns,
            null_values=[""],  # and not NA, which is a symbol
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
            true_values=["t"],
            false_values=["f"],
        ),
    )
    return table.combine_chunks().to_batches()[0]
