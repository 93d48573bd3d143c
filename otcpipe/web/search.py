"""Find symbols by the beginning of a ticker or by a word of the issue's name, as one types."""

import threading
from dataclasses import dataclass
from difflib import get_close_matches

from otcpipe.storage.postgres import Row
from otcpipe.web.reading import Reading

MOST = 50


@dataclass(frozen=True)
class Listed:
    """A symbol with its issue's name, and both in capitals."""

    symbol: str
    issue_name: str | None
    ticker: str
    words: str


class Search:
    """The symbols of the newest weeks, read again when the data changed."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading
        self._lock = threading.Lock()
        self._version = ""
        self._listed: list[Listed] = []

    def find(self, text: str, limit: int = MOST) -> list[Row]:
        """Return symbols with names: the ticker itself, tickers that begin so, then names; the largest first."""
        sought = text.strip().upper()
        self._refresh()
        listed = self._listed
        if not sought:
            return []
        exact = [one for one in listed if one.ticker == sought]
        begins = [one for one in listed if one.ticker.startswith(sought)]
        named = [one for one in listed if f" {sought}" in one.words]
        found = list(dict.fromkeys([*exact, *begins, *named]))
        if not found:
            near = get_close_matches(sought, [one.ticker for one in listed], n=MOST)
            found = [one for ticker in near for one in listed if one.ticker == ticker]
        return [{"symbol": one.symbol, "issue_name": one.issue_name} for one in found[:limit]]

    def _refresh(self) -> None:
        """Read the list if the data changed: an answer is kept for their state, and must not be of an older one."""
        with self._lock:
            version = self._reading.version().text
            if version != self._version:
                self._read()
                self._version = version

    def _read(self) -> None:
        with self._reading.database.transaction() as transaction:
            rows = transaction.rows("listed_symbols")
        self._listed = [_listed(row) for row in sorted(rows, key=lambda row: -row["volume"])]


def _listed(row: Row) -> Listed:
    symbol, name = row["symbol"], row["issue_name"]
    return Listed(symbol, name, symbol.upper(), f" {name or ''}".upper())
