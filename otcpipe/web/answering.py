"""Answers in JSON, CSV or Parquet, in pages of rows, with an ETag."""

import base64
import binascii
import hashlib
import io
from collections.abc import Callable, Sequence
from enum import Enum
from typing import Annotated

import pyarrow as pa
import pyarrow.parquet as pq
from fastapi import Query, Request
from starlette.responses import Response

from otcpipe.answers.listing import csv_lines, json_text
from otcpipe.storage.postgres import Database, Row
from otcpipe.web.keeping import Answer, answer
from otcpipe.web.problems import Changed, Malformed
from otcpipe.web.replying import reply
from otcpipe.web.services import Shared

MAX_ROWS, USUAL_ROWS = 50_000, 1_000
TYPES = {
    "json": "application/json",
    "csv": "text/csv; charset=utf-8",
    "parquet": "application/vnd.apache.parquet",
}
Find = Callable[[Database], Sequence[Row]]
FindSome = Callable[[Database, int, int], Sequence[Row]]  # those after a number of rows, and how many


class Format(Enum):
    """The form of an answer."""

    JSON = "json"
    CSV = "csv"
    PARQUET = "parquet"


class Answering:
    """Answers one request, in the form that its common parameters name."""

    def __init__(
        self,
        request: Request,
        shared: Shared,
        *,
        form: Annotated[Format, Query(alias="format", description="json, csv or parquet.")] = Format.JSON,
        exact: Annotated[bool, Query(description="Decimals as text, to the last digit.")] = False,
        fields: Annotated[str, Query(max_length=1000, description="Names of columns, separated by commas.")] = "",
        limit: Annotated[int, Query(ge=1, le=MAX_ROWS, description="Number of rows.")] = USUAL_ROWS,
        cursor: Annotated[str, Query(max_length=200, description="From the header Link of the page before.")] = "",
    ) -> None:
        self._request, self._shared = request, shared
        self._form, self._is_exact = form, exact
        self._fields = [name for name in (one.strip() for one in fields.split(",")) if name]
        self._limit, self._cursor = limit, cursor

    async def __call__(self, find: Find, *, is_slow: bool = False, is_of_work: bool = False) -> Response:
        """Return the rows that `find` returns, or that nothing changed since the client asked before."""

        def some(database: Database, offset: int, limit: int) -> Sequence[Row]:
            return find(database)[offset : offset + limit]

        return await self.some(some, is_slow=is_slow, is_of_work=is_of_work)

    async def some(self, find: FindSome, *, is_slow: bool = False, is_of_work: bool = False) -> Response:
        """Do the same with a `find` that returns some of the rows."""
        reading = self._shared.reading
        known = await reading.known(is_new=bool(self._cursor))  # rows of another state would be doubled or missing
        state, *earlier = reading.states(known, is_of_work=is_of_work)
        states = [state] if self._cursor else [state, *earlier]
        return await reply(self._request, self._shared, states, lambda: self._answer(find, state), is_slow=is_slow)

    def _answer(self, find: FindSome, state: str) -> Answer:
        headers = {}
        first = self._offset(state)
        rows = find(self._shared.reading.database, first, self._limit + 1)
        shown = list(rows[: self._limit])
        if len(rows) > self._limit:
            following = _encode(first + self._limit, state)
            address = self._request.url.include_query_params(cursor=following).remove_query_params("token")
            headers["Link"] = f'<{address.path}?{address.query}>; rel="next"'
        if self._form is not Format.JSON:
            name = self._request.url.path.rpartition("/")[2]
            headers["Content-Disposition"] = f'attachment; filename="{name}.{self._form.value}"'
        return answer(self._body(shown), TYPES[self._form.value], headers)

    def _body(self, rows: list[Row]) -> str | bytes:
        if self._fields and rows:
            missing = [name for name in self._fields if name not in rows[0]]
            if missing:
                raise Malformed(f"No column {missing[0]!r}; choose from {', '.join(rows[0])}.")
            rows = [{name: row[name] for name in self._fields} for row in rows]
        if self._form is Format.CSV:
            return "".join(csv_lines(rows, self._fields))
        if self._form is Format.PARQUET:
            return parquet(rows)
        return json_text(rows, is_exact=self._is_exact)

    def _offset(self, state: str) -> int:
        """Return where this page begins; raises Malformed for a wrong cursor, Changed if the data changed."""
        if not self._cursor:
            return 0
        try:
            number, _, mark = base64.urlsafe_b64decode(self._cursor).decode("ascii").partition(" ")
            offset = int(number)
        except (ValueError, binascii.Error):
            raise Malformed("The cursor is not one of this server.") from None
        if mark != _mark(state):
            raise Changed("The data changed since the first page: ask for it again.")
        return max(offset, 0)


def parquet(rows: Sequence[Row]) -> bytes:
    """Return rows as a Parquet file; decimals stay decimals."""
    out = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(list(rows)), out, compression="zstd")
    return out.getvalue()


def _encode(offset: int, state: str) -> str:
    return base64.urlsafe_b64encode(f"{offset} {_mark(state)}".encode()).decode()


def _mark(state: str) -> str:
    return hashlib.sha256(state.encode()).hexdigest()[:16]
