"""The file formats: Parquet, and CSV whose text no spreadsheet treats as a formula."""

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
from otcpipe.text import formulas

ESCAPED = """Text that begins with = + - @, a tab, a line break or an apostrophe is prefixed with an apostrophe,
so that spreadsheets do not treat it as a formula. Remove the first apostrophe to get the text as published.
An empty field is a null; a quoted empty field is an empty text. NA and NAN are symbols: in pandas, read the file with
keep_default_na=False, na_values=[""]."""


class ParquetFile:
    """A Parquet file: decimals are decimal128, moments are in UTC, and its metadata describe it.

    Opening, writing and closing raise Invalid for a path that cannot be written to, OtcpipeError for a full disk.
    """

    suffix = "parquet"

    def __init__(self, path: Path, schema: pa.Schema, about: dict[str, str]) -> None:
        self._folder = path.parent
        with writing(self._folder):
            self._file = path.open("xb")  # Arrow would accept UTF-8 paths only
            self._writer = self._writer_of(schema, about)

    def _writer_of(self, schema: pa.Schema, about: dict[str, str]) -> Any:
        return pq.ParquetWriter(self._file, schema.with_metadata(about), compression="zstd")

    def write(self, rows: pa.RecordBatch) -> int:
        """Write rows and return their number."""
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
            with suppress(OSError):  # the first error is the one to report
                self._close()

    def _close(self) -> None:
        try:
            self._writer.close()
        finally:
            self._writer.is_open = False  # or its destructor would close it a second time
            self._file.close()


class CsvFile(ParquetFile):
    """A CSV file; `_README.txt` beside it describes it."""

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
    """Prefix text that a spreadsheet would treat as a formula with an apostrophe."""
    columns = [
        pc.replace_substring_regex(column, formulas.FIRST, r"'\1") if pa.types.is_string(column.type) else column
        for column in rows.columns
    ]
    return pa.RecordBatch.from_arrays(columns, schema=rows.schema)
