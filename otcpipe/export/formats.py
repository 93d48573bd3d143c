"""Files of rows: Parquet, and CSV that a spreadsheet cannot be tricked by."""

from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq

from otcpipe.export.directory import README
from otcpipe.storage.files import PART, writing

DANGEROUS = r"^(['=+\-@\t\r\n\x{FF1D}\x{FF0B}\x{FF0D}\x{FF20}])"  # a formula's first, also in full width
ESCAPED = """A text that begins with = + - @, a tab or a line break stands behind an apostrophe, so that no
spreadsheet takes it for a formula; so does one that begins with an apostrophe. Without its first apostrophe
it is as published. Nothing between two commas is a null; quoted nothing is an empty text."""


class ParquetFile:
    """Decimals are decimal128, moments UTC; what the file holds stands in its metadata.

    Opening, writing and closing raise Invalid or OtcpipeError where the disk refuses.
    """

    suffix = "parquet"

    def __init__(self, path: Path, schema: pa.Schema, about: dict[str, str]) -> None:
        self._folder = path.parent
        with writing(self._folder):
            self._file = path.open("xb")  # and no path for Arrow, which takes UTF-8 only
            self._writer = self._writer_of(schema, about)

    def _writer_of(self, schema: pa.Schema, about: dict[str, str]) -> Any:
        return pq.ParquetWriter(self._file, schema.with_metadata(about), compression="zstd")

    def write(self, rows: pa.RecordBatch) -> int:
        """The number of rows."""
        with writing(self._folder):
            self._writer.write_batch(rows)
        return int(rows.num_rows)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            with writing(self._folder):
                self._close()
        else:
            with suppress(OSError):  # the first error says more
                self._close()

    def _close(self) -> None:
        try:
            self._writer.close()
        finally:
            self._writer.is_open = False  # else it is closed once more when it is collected
            self._file.close()


class CsvFile(ParquetFile):
    """What the file holds stands in `_README.txt` beside it."""

    suffix = "csv"

    def _writer_of(self, schema: pa.Schema, about: dict[str, str]) -> Any:
        lines = [f"{name}: {text}" for name, text in about.items()]
        with (self._folder / f".{README}{PART}").open("x", encoding="utf-8") as file:
            file.write("\n".join([*lines, "", ESCAPED, ""]))
        return pa.csv.CSVWriter(self._file, schema)

    def write(self, rows: pa.RecordBatch) -> int:
        return super().write(escape_formulas(rows))

    def _close(self) -> None:
        try:
            self._writer.close()
        finally:
            self._file.close()


FORMATS: dict[str, type[ParquetFile]] = {form.suffix: form for form in (ParquetFile, CsvFile)}


def escape_formulas(rows: pa.RecordBatch) -> pa.RecordBatch:
    """Texts that a spreadsheet would compute stand behind an apostrophe."""
    columns = [
        pc.replace_substring_regex(column, DANGEROUS, r"'\1") if pa.types.is_string(column.type) else column
        for column in rows.columns
    ]
    return pa.RecordBatch.from_arrays(columns, schema=rows.schema)
