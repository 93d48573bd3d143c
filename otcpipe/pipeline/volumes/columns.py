"""Read columns of an imported file: texts to exact numbers and days. One bad value refuses the whole file."""

import re
from collections.abc import Iterable, Mapping
from io import BytesIO

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from otcpipe.errors import Invalid
from otcpipe.text.limits import MAX_CHARACTERS, MAX_COLUMNS
from otcpipe.text.printable import printable
from otcpipe.text.values import Day, Number

MAX_ROWS = 5_000_000
MAX_NAME = 500  # characters
MAX_SHOWN = 60  # of a value in an error
TEXTS = {f"f{number}": pa.string() for number in range(MAX_COLUMNS)}  # as Arrow names columns
_AMERICAN = r"^(\d{2})/(\d{2})/(\d{4})$"
_HIDDEN = r"[\p{Cc}\p{Cf}\x{2028}\x{2029}]"
_THOUSANDS = r"^-?\d{1,3}(,\d{3})+(\.\d*)?$"


def read_csv(content: bytes, names: tuple[str, ...], optional: tuple[str, ...] = ()) -> pa.Table:
    """Return the columns `names`, in any case and order in the file, as texts; raises Invalid if one is missing.

    Those that are `optional` are null where the file lacks them. The header is read as a row: no type is guessed.
    """
    try:
        content.decode()
        table = pa.csv.read_csv(
            BytesIO(content),
            pa.csv.ReadOptions(use_threads=False, autogenerate_column_names=True),
            pa.csv.ParseOptions(),
            pa.csv.ConvertOptions(
                strings_can_be_null=True,
                null_values=[""],
                quoted_strings_can_be_null=False,
                column_types=TEXTS,
            ),
        )
    except UnicodeDecodeError:
        raise Invalid("It is not a text file in UTF-8.") from None
    except pa.ArrowInvalid as error:
        raise Invalid(f"It is not a CSV file with a header: {_first_line(str(error))}.") from None
    header = [str(column[0].as_py() or "").removeprefix("\ufeff") for column in table.columns]
    return choose(table.slice(1).rename_columns(header), names, optional)


def choose(table: pa.Table, names: tuple[str, ...], optional: tuple[str, ...] = ()) -> pa.Table:
    """Return the columns `names`, whatever their case; raises Invalid if one is missing or there are no rows."""
    known = {_plain(name): place for place, name in enumerate(table.column_names)}
    spelled = [_plain(name) for name in table.column_names]
    for name in (*names, *optional):
        if spelled.count(_plain(name)) > 1:
            raise Invalid(f"It has several columns {name!r}: leave one of them.")
    missing = [name for name in names if _plain(name) not in known]
    if missing:
        raise Invalid(f"It has no column {missing[0]!r}; it needs {', '.join(names)}.")
    require_rows(table.num_rows)
    found = [name for name in (*names, *optional) if _plain(name) in known]
    chosen = table.select([known[_plain(name)] for name in found]).rename_columns(found)
    for name in (one for one in optional if one not in found):
        chosen = chosen.append_column(name, pa.nulls(table.num_rows, pa.string()))
    return chosen


def require_rows(number: int) -> None:
    """Raise Invalid for a file without rows, or with too many."""
    if not 0 < number <= MAX_ROWS:
        raise Invalid(f"It has more than {MAX_ROWS:,} rows: split it." if number else "It has no rows.")


def spelled_as(given: Iterable[str], names: tuple[str, ...]) -> list[str]:
    """Return those of the given columns that `choose` may choose for the names."""
    wanted = {_plain(name) for name in names}
    return [name for name in given if _plain(name) in wanted]


def numbers(texts: pa.ChunkedArray, name: str, kind: pa.DataType, digits: int) -> pa.Array:
    """Return exact numbers of 0 or more; commas between thousands are allowed. Raises Invalid for anything else."""
    given = pc.utf8_trim_whitespace(_text(texts))
    fits = pc.or_(pc.invert(pc.match_substring(given, ",")), pc.match_substring_regex(given, _THOUSANDS))
    _require(pc.fill_null(fits, True), texts, name, "has a comma that does not separate thousands")
    plain = pc.replace_substring(given, ",", "")
    is_negative = pc.fill_null(pc.match_substring_regex(plain, r"^-[\d.]*[1-9]"), False)
    _require(pc.invert(is_negative), texts, name, "is negative")
    values, fits = Number(digits, kind).read(plain)
    _require(fits, texts, name, Number(digits, kind).reason)
    return values


def days(texts: pa.ChunkedArray, name: str) -> pa.Array:
    """Return dates, written 2025-12-15 or 12/15/2025; raises Invalid for anything else."""
    plain = pc.utf8_trim_whitespace(_text(texts))
    for pattern, written in ((r"^(\d)/", r"0\1/"), (r"/(\d)/", r"/0\1/"), (_AMERICAN, r"\3-\1-\2")):
        plain = pc.replace_substring_regex(plain, pattern, written)
    values, fits = Day().read(plain)
    _require(fits, texts, name, Day.reason)
    return values


def require_texts(texts: pa.ChunkedArray, name: str) -> pa.Array:
    """Return the texts without spaces around them; raises Invalid for an empty, too long or partly invisible one."""
    plain = pc.utf8_trim_whitespace(_text(texts))
    most = MAX_CHARACTERS["issueSymbolIdentifier"] if name == "symbol" else MAX_NAME
    _require(pc.not_equal(plain, ""), texts, name, "is empty")
    _require(pc.less_equal(pc.utf8_length(plain), most), texts, name, f"has more than {most} characters")
    _require(pc.invert(pc.match_substring_regex(plain, _HIDDEN)), texts, name, "has a character that cannot be seen")
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
        value = printable(str(texts[row].as_py() or ""))
        shown = value if len(value) <= MAX_SHOWN else f"{value[:MAX_SHOWN]}..."
        raise Invalid(f"Line {row + 2:,}: {name} {shown!r} {reason}.")


def _first_line(text: str) -> str:
    return text.splitlines()[0].rstrip(".")
