"""The data dictionary, `schema/README.md`: what each table, view, column and function of `otc` is."""

import re
from typing import NamedTuple

from otcpipe.storage import sql

_HEADING = re.compile(r"^### (.+)$", re.MULTILINE)
_NAME = re.compile(r"`otc\.(\w+)")
_COLUMN = re.compile(r"^\| `(\w+)` \| ?(.*?) \| (.+) \|$", re.MULTILINE)


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
    """Return all descriptions; a section with two names describes both objects."""
    sections = _HEADING.split((sql.SCHEMA / "README.md").read_text())[1:]
    return [
        found
        for heading, section in zip(sections[::2], sections[1::2], strict=True)
        for name in _NAME.findall(heading)
        for found in _of_section(name, section)
    ]


def _of_section(name: str, section: str) -> list[Description]:
    paragraph = " ".join(section.strip().split("\n\n")[0].split())
    columns = _COLUMN.findall(section)
    return [
        Description(name, None, "", paragraph),
        *(Description(name, column, unit, text) for column, unit, text in columns),
    ]
