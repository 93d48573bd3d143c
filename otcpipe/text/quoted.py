"""Read rows whose values may be quoted, as in CSV: a broken line costs only itself."""

from collections.abc import Iterator, Sequence

import pyarrow as pa

from otcpipe.text.columns import LINE
from otcpipe.text.dialect import Dialect
from otcpipe.text.lines import Malformed, add_malformed, values_at

BATCH_ROWS = 50_000  # held as Python values at a time


def read(source: Dialect) -> tuple[pa.Table, list[Malformed]]:
    """Return the rows as text with their line numbers, and the lines that are not rows."""
    names = [LINE, *source.columns]
    kinds = [pa.int32(), *[pa.string()] * len(source.columns)]
    schema = pa.schema(list(zip(names, kinds, strict=True)))
    malformed: list[Malformed] = []
    batches, rows = list[pa.RecordBatch](), list[Sequence[object]]()
    for row in _rows(source, malformed):
        rows.append(row)
        if len(rows) == BATCH_ROWS:
            batches.append(_batch(rows, schema))
            rows = []
    if rows:
        batches.append(_batch(rows, schema))
    return pa.Table.from_batches(batches, schema).combine_chunks(), malformed


def _batch(rows: Sequence[Sequence[object]], schema: pa.Schema) -> pa.RecordBatch:
    columns = zip(*rows, strict=True)
    return pa.RecordBatch.from_arrays(
        [pa.array(column, kind) for column, kind in zip(columns, schema.types, strict=True)], schema=schema
    )


def _rows(source: Dialect, malformed: list[Malformed]) -> Iterator[Sequence[object]]:
    lines = source.text.removesuffix(b"\n").split(b"\n")
    at = 1
    while at < len(lines):
        values, count = values_at(lines, at, source)
        if isinstance(values, str):
            add_malformed(malformed, at + 1, values, lines[at])
        else:
            yield at + 1, *(value or None for value in values)
        at += count
