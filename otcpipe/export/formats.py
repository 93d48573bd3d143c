"""Files of rows: Parquet, and CSV that a spreadsheet cannot be tricked by."""

from pathlib import Path
from types import TracebackType
from typing import Self

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq

DANGEROUS = r"^(['=+\-@\t\r\n\x{FF1D}\x{FF0B}\x{FF0D}\x{FF20}])"  # a formula's first, also in full width
ESCAPED = """A text that begins with = + - @, a tab or a line break stands behind an apostrophe, so that no
spreadsheet takes it for a formula; so does one that begins with an apostrophe. Without its first apostrophe
it is as published. Nothing between two commas is a null; quoted nothing is an empty text."""


class ParquetFile:
    """Decimals are decimal128, moments UTC; what the file holds stands in its metadata."""

    suffix = "parquet"

    def __init__(self, path: Path, schema: pa.Schema, about: dict[str, str]) -> None:
        self._writer = pq.ParquetWriter(path, schema.with_metadata(about), compression="zstd")

    def write(self, rows: pa.RecordBatch) -> int:
        """The number of rows."""
        self._writer.write_batch(rows)
        return int(rows.num_rows)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._writer.close()


class CsvFile(ParquetFile):
    """What the file holds stands in `_README.txt` beside it."""

    suffix = "csv"

    def __init__(self, path: Path, schema: pa.Schema, about: dict[str, str]) -> None:
        lines = [f"{name}: {text}" for name, text in about.items()]
        path.with_name("._README.txt.part").write_text("\n".join([*lines, "", ESCAPED, ""]))
        self._writer = pa.csv.CSVWriter(path, schema)

    def write(self, rows: pa.RecordBatch) -> int:
        return super().write(harmless(rows))


FORMATS: dict[str, type[ParquetFile]] = {form.suffix: form for form in (ParquetFile, CsvFile)}


def harmless(rows: pa.RecordBatch) -> pa.RecordBatch:
    """Texts that a spreadsheet would compute stand behind an apostrophe."""
    columns = [
        pc.replace_substring_regex(column, DANGEROUS, r"'\1") if pa.types.is_string(column.type) else column
        for column in rows.columns
    ]
    return pa.RecordBatch.from_arrays(columns, schema=rows.schema)
