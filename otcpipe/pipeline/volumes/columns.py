"""Read columns of an imported file: texts to exact numbers and days. One bad value refuses the whole file."""

import re
from collections.abc import Mapping
from io import BytesIO

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from otcpipe.errors import Invalid
from otcpipe.text.values import Day, Number

MAX_ROWS = 5_000_000
_AMERICAN = r"^(\d{1,2})/(\d{1,2})/(\d{4})$"


def read_csv(content: bytes, names: tuple[str, ...], optional: tuple[str, ...] = ()) -> pa.Table:
    """Return the columns `names`, in any case and order in the file, as texts; raises Invalid if one is missing.

    Those that are `optional` are null where the file lacks them.
    """
    try:
        table = pa.csv.read_csv(
            BytesIO(content),
            pa.csv.ReadOptions(use_threads=False),
            pa.csv.ParseOptions(),
            pa.csv.ConvertOptions(
                strings_can_be_null=True,
                null_values=[""],
                quoted_strings_can_be_null=False,
                column_types=dict.fromkeys(_header(content), pa.string()),
            ),
        )
    except pa.ArrowInvalid as error:
        raise Invalid(f"It is not a CSV file with a header: {_first_line(str(error))}.") from None
    return choose(table, names, optional)


def choose(table: pa.Table, names: tuple[str, ...], optional: tuple[str, ...] = ()) -> pa.Table:
    """Return the columns `names`, whatever their case; raises Invalid if one is missing or there are no rows."""
    known = {_plain(name): name for name in table.column_names}
    missing = [name for name in names if _plain(name) not in known]
    if missing:
        raise Invalid(f"It has no column {missing[0]!r}; it needs {', '.join(names)}.")
    if not 0 < table.num_rows <= MAX_ROWS:
        raise Invalid("It has no rows." if not table.num_rows else f"It has more than {MAX_ROWS:,} rows: split it.")
    found = [name for name in (*names, *optional) if _plain(name) in known]
    chosen = table.select([known[_plain(name)] for name in found]).rename_columns(found)
    for name in (one for one in optional if one not in found):
        chosen = chosen.append_column(name, pa.nulls(table.num_rows, pa.string()))
    return chosen


def numbers(texts: pa.ChunkedArray, name: str, kind: pa.DataType, digits: int) -> pa.Array:
    """Return exact numbers of 0 or more; commas between thousands are allowed. Raises Invalid for anything else."""
    plain = pc.replace_substring(pc.utf8_trim_whitespace(_text(texts)), ",", "")
    is_negative = pc.fill_null(pc.match_substring_regex(plain, r"^-[\d.]*[1-9]"), False)
    _require(pc.invert(is_negative), texts, name, "is negative")
    values, fits = Number(digits, kind).read(plain)
    _require(fits, texts, name, Number(digits, kind).reason)
    return values


def days(texts: pa.ChunkedArray, name: str) -> pa.Array:
    """Return dates, written 2025-12-15 or 12/15/2025; raises Invalid for anything else."""
    plain = pc.utf8_trim_whitespace(_text(texts))
    if pc.any(pc.match_substring_regex(plain, _AMERICAN)).as_py():
        plain = pc.strftime(pc.strptime(plain, format="%m/%d/%Y", unit="s", error_is_null=True), format="%Y-%m-%d")
    values, fits = Day().read(plain)
    _require(fits, texts, name, Day.reason)
    return values


def require_texts(texts: pa.ChunkedArray, name: str) -> pa.Array:
    """Return the texts without spaces around them; raises Invalid for an empty one."""
    plain = pc.utf8_trim_whitespace(_text(texts))
    _require(pc.not_equal(plain, ""), texts, name, "is empty")
    return plain


def require_unique(table: pa.Table, keys: tuple[str, ...]) -> None:
    """Raise Invalid if two rows have the same keys."""
    repeated = table.group_by(list(keys)).aggregate([([], "count_all")]).filter(pc.field("count_all") > 1)
    if repeated.num_rows:
        what: Mapping[str, object] = repeated.slice(0, 1).select(list(keys)).to_pylist()[0]
        raise Invalid(f"It has two rows of {', '.join(map(str, what.values()))}.")


def _plain(name: str) -> str:
    """Return a column's name without the differences that do not count: case, and what separates words."""
    return re.sub(r"[\s_-]+", " ", name.strip()).casefold()


def _text(texts: pa.ChunkedArray) -> pa.Array:
    return pa.array(texts.combine_chunks()).cast(pa.string()) if isinstance(texts, pa.ChunkedArray) else texts


def _require(fits: pa.Array, texts: pa.ChunkedArray, name: str, reason: str) -> None:
    """Raise Invalid for the first value that does not fit, or is missing; its line counts the header."""
    good = pc.fill_null(fits, False)
    if not pc.all(good).as_py():
        row = pc.index(good, False).as_py()
        raise Invalid(f"Line {row + 2:,}: {name} {texts[row].as_py() or ''!r} {reason}.")


def _header(content: bytes) -> list[str]:
    line = content.removeprefix(b"\xef\xbb\xbf").split(b"\n", 1)[0].rstrip(b"\r")
    try:
        return [name.strip('"') for name in line.decode().split(",")]
    except UnicodeDecodeError:
        raise Invalid("It is not a text file in UTF-8.") from None


def _first_line(text: str) -> str:
    return text.splitlines()[0].rstrip(".")
