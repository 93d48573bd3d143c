"""The data dictionary, `schema/README.md`: what each table, view, column and function of `otc` is."""

import re
from typing import NamedTuple

from otcpipe.storage import sql

_HEADING = re.compile(r"^### (.+)$", re.MULTILINE)
_NAME = re.compile(r"`otc\.(\w+)")
_LINK = re.compile(r"\[([^\]]+)\]\([^)]+\)")
_COLUMN = re.compile(r"^\| `(\w+)` \| ?(.*?) \| (.+) \|$", re.MULTILINE)

HISTORY = "`otc.<metric>_history`"


class Description(NamedTuple):
    """The text about a table, view or function, or about one of its columns, which may have a unit."""

    name: str
    column: str | None
    unit: str
    text: str

    @property
    def comment(self) -> str:
        """The text with the unit, as the database shows it."""
        return f"{self.text} ({self.unit})" if self.unit else self.text


def descriptions() -> list[Description]:
    """Return all descriptions, links as their texts; a section with two names describes both objects.

    The section of `otc.<metric>_history` describes the history of every metric, which has the metric's columns too.
    """
    sections = _HEADING.split(_LINK.sub(r"\1", (sql.SCHEMA / "README.md").read_text()))[1:]
    pairs = list(zip(sections[::2], sections[1::2], strict=True))
    found = [
        one for heading, section in pairs for name in _NAME.findall(heading) for one in _of_section(name, section)
    ]
    [history] = (section for heading, section in pairs if HISTORY in heading)
    return [*found, *(one for metric in sql.metric_files() for one in _of_history(metric, history, found))]


def _of_history(metric: str, section: str, found: list[Description]) -> list[Description]:
    name = f"{metric}_history"
    whole, *columns = _of_section(name, section.replace("<metric>", metric))
    values = [
        one._replace(name=name) for one in found if one.name == metric and one.column not in (None, "computed_at")
    ]
    return [whole, *values, *columns]


def _of_section(name: str, section: str) -> list[Description]:
    paragraph = " ".join(section.strip().split("\n\n")[0].split())
    columns = _COLUMN.findall(section)
    return [
        Description(name, None, "", paragraph),
        *(Description(name, column, unit, text) for column, unit, text in columns),
    ]
