"""The rows of a table that a user asks for, as a query."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime

from otcpipe import weeks
from otcpipe.datasets import ALL_TIERS, SCOPES
from otcpipe.errors import Invalid
from otcpipe.metrics.catalog import RECORDS, Table
from otcpipe.storage.selection import Selection
from otcpipe.text.choices import choose

EVER = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True)
class Choice:
    """Rows of a table, now or as known at a moment; None means all symbols, tiers and scopes.

    The records have no scope: it chooses their venue types. Raises Invalid if a value is wrong or the table lacks the
    column.
    """

    table: Table
    symbols: Sequence[str] | None = None
    tier: str | None = None
    scope: str | None = None
    at: datetime | None = None
    strict: bool = False  # without records whose first value is lost
    is_history: bool = False  # all values of all times, each with the interval in which it was known

    def __post_init__(self) -> None:
        if self.is_history:
            self.table.history()
        if self.is_history and self.at is not None:
            raise Invalid("Give either a history or a moment: a history holds all moments.")
        for name, value in (("symbol", self.symbols), ("tier", self.tier), ("scope", self.scope)):
            is_venue_type = name == "scope" and self._is_of_records
            if value is not None and name not in self.table.names and not is_venue_type:
                argument = "symbols" if name == "symbol" else name
                raise Invalid(f"{self.table.name} has no column {name}: leave `{argument}` out.")
        _ = self._tier, self._scope

    def query(self, columns: Sequence[str], order: str | None = None) -> Selection:
        """Return the query of the columns; `order` is the name of a statement that sorts."""
        conditions = [*self._conditions(), *([order] if order else [])]
        if self.is_history:
            return Selection("history_rows", f"{self.table.name}_history", columns, self.table.keys, conditions)
        if self._is_of_records:
            return Selection("known_records", columns=columns, conditions=conditions)
        if self.table.is_derived:
            return Selection("derived_rows", f"{self.table.name}_as_of", columns, self.table.keys, conditions)
        statement, name = ("stored_rows", "{}") if self.at is None else ("known_rows", "{}_as_of")
        return Selection(statement, name.format(self.table.name), columns, self.table.keys, conditions)

    def values(self, first: date, last: date) -> dict[str, object]:
        """Return the values of the query's parameters for these weeks."""
        return {
            "first": first,
            "last": last,
            "at": (self.at or EVER) if self._is_of_records else self.at,
            "strict": self.strict,
            "symbols": None if self.symbols is None else list(self.symbols),
            "tier": self._tier,
            "scope": self._scope,
        }

    @property
    def _is_of_records(self) -> bool:
        return self.table.name == RECORDS

    @property
    def _tier(self) -> str | None:
        more = [ALL_TIERS] if self.table.name == "venue_share" else []
        return None if self.tier is None else weeks.parse_tier(self.tier, *more)

    @property
    def _scope(self) -> str | None:
        return None if self.scope is None else choose(self.scope, SCOPES, "scope")

    def _conditions(self) -> list[str]:
        by_scope = "of_venue_type" if self._is_of_records else "of_scope"
        is_all_types = self._is_of_records and self._scope == "ALL"
        return [
            *(["of_symbols"] if self.symbols is not None and not self.table.is_derived else []),
            *(["of_tier"] if self.tier is not None else []),
            *([by_scope] if self.scope is not None and not is_all_types else []),
        ]
