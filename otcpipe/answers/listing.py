"""Rows as JSON or CSV, for programs."""

import json
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime
from decimal import Decimal

from otcpipe.storage.postgres import Row, Rows
from otcpipe.text.formulas import escape_formula

LINE_END = "\r\n"  # RFC 4180


def json_text(value: object, *, is_exact: bool = True, indent: int | None = None) -> str:
    """Return JSON: decimals as text, or if not `is_exact` as numbers; dates in ISO format."""
    return json.dumps(value, default=_text if is_exact else _number, indent=indent)


def csv_lines(rows: Sequence[Row], columns: Iterable[str] = ()) -> Iterator[str]:
    """Yield a line of names and a line for each row, as RFC 4180 has it; text is no formula of a spreadsheet.

    The names are those of the rows in their order, as in JSON; without rows those of the query, else
    `columns`. A null is an empty
    field, an empty text a quoted one. Lists are joined by semicolons.
    """
    queried = rows.columns if isinstance(rows, Rows) else ()
    names = list(dict.fromkeys(name for row in rows for name in row)) or list(queried or columns)
    yield ",".join(map(_field, names)) + LINE_END
    for row in rows:
        yield ",".join(_field(row.get(name)) for name in names) + LINE_END


def _field(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    text = _plain(value)
    is_text = not isinstance(value, int | Decimal | date | datetime)
    text = escape_formula(text) if is_text else text
    is_quoted = text == "" or any(character in text for character in ',"\r\n')
    return '"' + text.replace('"', '""') + '"' if is_quoted else text


def _plain(value: object) -> str:
    if isinstance(value, list | tuple):
        return "; ".join([_plain(one) for one in value])
    if isinstance(value, dict):
        return json.dumps(value, default=_text)
    return _text(value) if isinstance(value, date | datetime | Decimal) else str(value)


def _text(value: object) -> str:
    if isinstance(value, date | datetime):
        return value.isoformat()
    if isinstance(value, Decimal):
        return str(value)
    raise TypeError(f"{type(value).__name__} cannot be written as JSON")


def _number(value: object) -> str | float:
    return float(value) if isinstance(value, Decimal) else _text(value)
