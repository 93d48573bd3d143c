"""The form of a listing: a table for people, or JSON or CSV for programs."""

from enum import Enum

from otcpipe.errors import Invalid


class Form(Enum):
    """The form of a listing."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"


def chosen(*, as_json: bool, as_csv: bool) -> Form:
    """Return the form that the options name; raises Invalid for both."""
    if as_json and as_csv:
        raise Invalid("Choose one of --json and --csv.")
    return Form.JSON if as_json else Form.CSV if as_csv else Form.TABLE
