"""Print rows as JSON or CSV, for programs."""

import json
import sys
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from decimal import Decimal

from otcpipe.cli.form import Form
from otcpipe.storage.postgres import Row
from otcpipe.text.formulas import escape_formula

LINE_END = "\r\n"  # RFC 4180


def write(form: Form, rows: Sequence[Row], columns: Iterable[str] = ()) -> bool:
    """Print rows as JSON or CSV; return False, and print nothing, for a table.

    The CSV begins with `columns`, in this order; all other values of the rows follow.
    """
    if form is Form.JSON:
        print_json(rows)
    elif form is Form.CSV:
        print_csv(rows, columns)
    return form is not Form.TABLE


def print_json(rows: Sequence[Row]) -> None:
    """Print a list of objects: decimals as text, dates in ISO format."""
    json.dump(list(rows), sys.stdout, default=_text, indent=2)
    sys.stdout.write("\n")


def print_csv(rows: Sequence[Row], columns: Iterable[str] = ()) -> None:
    """Print a line of names and a line for each row, as RFC 4180 has it; text is no formula of a spreadsheet.

    A null is an empty field, an empty text a quoted one. Lists are joined by semicolons.
    """
    names = list(dict.fromkeys([*columns, *(name for row in rows for name in row)]))
    sys.stdout.write(",".join(map(_field, names)) + LINE_END)
    for row in rows:
        sys.stdout.write(",".join(_field(row.get(name)) for name in names) + LINE_END)


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
