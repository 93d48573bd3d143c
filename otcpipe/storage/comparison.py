"""Queries that compare the rows of two schemas."""

from collections.abc import Sequence
from dataclasses import dataclass

from otcpipe.storage import sql
from otcpipe.storage.selection import Selection, quoted


@dataclass(frozen=True)
class Comparison:
    """How the rows of a selection in a schema differ from those of the live one; they are known by `keys`."""

    rows: Selection
    keys: Sequence[str]
    schema: str

    def text(self) -> str:
        """Return the query, whose values are those of the selection."""
        rows = self.rows.text()
        places = {"{live}": rows, "{shadow}": sql.in_schema(rows, self.schema), "{keys}": quoted(self.keys)}
        text = sql.statements()["shadow_differences"]
        for place, part in places.items():
            text = text.replace(place, part)
        return text
