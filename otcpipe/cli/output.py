"""Print rows as JSON or CSV, for programs."""

import sys
from collections.abc import Iterable, Sequence

from otcpipe.answers.listing import csv_lines, json_text
from otcpipe.cli.form import Form
from otcpipe.storage.postgres import Row


def write(form: Form, rows: Sequence[Row], columns: Iterable[str] = ()) -> bool:
    """Print rows as JSON or CSV; return False, and print nothing, for a table.

    Without rows, the CSV has the names of `columns`.
    """
    if form is Form.JSON:
        print_json(rows)
    elif form is Form.CSV:
        print_csv(rows, columns)
    return form is not Form.TABLE


def print_json(rows: Sequence[Row]) -> None:
    """Print a list of objects: decimals as text, dates in ISO format."""
    sys.stdout.write(json_text(list(rows), indent=2) + "\n")


def print_csv(rows: Sequence[Row], columns: Iterable[str] = ()) -> None:
    """Print rows as `csv_lines` has them."""
    sys.stdout.writelines(csv_lines(rows, columns))
