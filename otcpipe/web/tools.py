"""Tools for assistants, by the Model Context Protocol: the same answers as the API, read-only."""

import json
from collections.abc import Awaitable, Callable, Sequence
from functools import wraps
from importlib.metadata import version
from typing import Annotated, Any, TypedDict

from mcp.server.mcpserver.exceptions import ToolError
from mcp_types import ToolAnnotations
from pydantic import Field

from otcpipe import resources
from otcpipe.answers import changes, partition, venue
from otcpipe.answers.listing import json_text
from otcpipe.answers.proof import proof
from otcpipe.answers.symbol import symbol as find_symbol
from otcpipe.errors import OtcpipeError
from otcpipe.records import ATTRIBUTION
from otcpipe.storage.postgres import Database, Row
from otcpipe.web import asked
from otcpipe.web.reading import Reading
from otcpipe.web.search import Search
from otcpipe.web.tool_server import ToolServer

INSTRUCTIONS = f"""Weekly off-exchange volume of US stocks, as FINRA publishes it by symbol, venue and week.
Off-exchange is not dark pool: ATS rows are alternative trading systems, NON_ATS rows are dealers; ALL is both.
FINRA publishes Tier 1 three weeks after the Monday of a week, the other tiers five weeks after, and restates later.
An answer is what is known now, or with as_of what was known then. Concentration (HHI) is an interval, since the
smallest firms are not named. Decimals are text. {ATTRIBUTION}"""
MOST = 200
READS = ToolAnnotations(read_only_hint=True, destructive_hint=False, idempotent_hint=True, open_world_hint=False)
OF_CONCENTRATION = (
    *("week_ending", "scope", "venue_count", "hhi", "hhi_upper", "effective_venues", "top_venue_share_pct"),
    *("top3_share_pct", "de_minimis_share_pct", "concentration_level", "concentration_level_2023", "published_on"),
)
Symbol = Annotated[str, Field(max_length=asked.LONGEST, description="Case-sensitive, such as BRK.B.")]
Week = Annotated[str, Field(max_length=asked.LONGEST, description="Any date in the week; empty: the newest.")]
Scope = Annotated[str, Field(max_length=asked.LONGEST, description="ATS, NON_ATS or ALL; empty: all that is known.")]
AsOf = Annotated[str, Field(max_length=asked.LONGEST, description="As known at the end of this day; empty: now.")]
Limit = Annotated[int, Field(ge=1, le=MOST, description="Number of rows.")]


class Answer(TypedDict):
    """Rows, whether more exist, the moment of knowledge, how certain it is, and the source."""

    rows: list[dict[str, Any]]
    truncated: bool
    as_of: str
    certainty: str
    attribution: str


Tool = Callable[..., Awaitable[Answer]]


class Tools:
    """The tools, each a method; a sentence says why one cannot answer."""

    def __init__(self, reading: Reading) -> None:
        self._reading, self._search = reading, Search(reading)

    async def find_symbol(self, text: Symbol, limit: Limit = 20) -> Answer:
        """Find symbols by the beginning of a ticker, or by a word of the issue's name."""
        return await self._answer(lambda _: self._search.find(text), limit, "")

    async def symbol_weeks(
        self, symbol: Symbol, week: Week = "", scope: Scope = "", as_of: AsOf = "", limit: Limit = 26
    ) -> Answer:
        """Return a symbol's weeks, newest first: shares, trades, six-week mean, ATS share, concentration, price."""
        return await self._answer(_history(symbol, week, scope, as_of, limit), limit, as_of)

    async def concentration(
        self, symbol: Symbol, week: Week = "", scope: Scope = "", as_of: AsOf = "", limit: Limit = 13
    ) -> Answer:
        """Return how concentrated a symbol's volume is among venues by week: HHI from its lower to its upper end."""
        history = _history(symbol, week, scope, as_of, limit)

        def find(database: Database) -> list[Row]:
            return [{name: row[name] for name in OF_CONCENTRATION} for row in history(database)]

        return await self._answer(find, limit, as_of)

    async def venue_table(
        self, week: Week = "", tier: str = "", scope: Scope = "ATS", as_of: AsOf = "", limit: Limit = 25
    ) -> Answer:
        """Return the venues of a week by their share of volume, with rank and changes in percentage points."""
        friday, of_tier, at = asked.week(week), asked.venue_tier(tier), asked.moment(as_of)
        of_scope = asked.scope(scope) or "ATS"
        return await self._answer(lambda it: venue.league(it, friday, of_tier, of_scope, at), limit, as_of)

    async def revisions(self, symbol: Symbol, limit: Limit = 50) -> Answer:
        """Return what FINRA restated of a symbol: shares before and after, and when it was observed."""
        return await self._answer(lambda it: changes.changes(it, None, symbol)[::-1], limit, "")

    async def coverage(self, first: Week = "", last: Week = "", limit: Limit = MOST) -> Answer:
        """Return which weeks of which tiers are loaded, newest first, with their grade."""
        begin, end = asked.span(first, last)
        settings = resources.settings()
        return await self._answer(
            lambda it: partition.states(it, settings.now(), settings.since, begin, end)[::-1], limit, ""
        )

    async def explain(self, symbol: Symbol, week: Week, limit: Limit = 50) -> Answer:
        """Return the lines of stored files behind a symbol's week: the file's key, its SHA-256, and the line."""
        friday, prefix = asked.required_week(week), resources.settings()["S3_PREFIX"]
        return await self._answer(
            lambda it: proof(it, resources.store(), prefix, symbol, friday, None)["records"], limit, ""
        )

    async def _answer(self, find: Callable[[Database], Sequence[Row]], limit: int, as_of: str) -> Answer:
        at = asked.moment(as_of)
        rows = await self._reading.run(lambda: find(self._reading.database), is_slow=True)
        known = await self._reading.known()
        plain = json.loads(json_text(list(rows[:limit])))
        how = (
            "as known at that moment; records whose values then are lost are left out" if at else "the newest capture"
        )
        moment = at.isoformat() if at else str(known.moment)
        return Answer(rows=plain, truncated=len(rows) > limit, as_of=moment, certainty=how, attribution=ATTRIBUTION)


def create(reading: Reading) -> ToolServer:
    """Return the server of the tools."""
    server = ToolServer("otcpipe", instructions=INSTRUCTIONS, version=version("otcpipe"), log_level="WARNING")
    tools = Tools(reading)
    for tool in (
        *(tools.find_symbol, tools.symbol_weeks, tools.concentration, tools.venue_table),
        *(tools.revisions, tools.coverage, tools.explain),
    ):
        server.tool(annotations=READS, structured_output=True)(_stating(tool))
    return server


def _stating(tool: Tool) -> Tool:
    """Let a tool state otcpipe's errors: of others only their name goes out."""

    @wraps(tool)
    async def answer(*arguments: Any, **named: Any) -> Answer:
        try:
            return await tool(*arguments, **named)
        except OtcpipeError as error:
            raise ToolError(str(error)) from error

    return answer


def _history(symbol: str, week: str, scope: str, as_of: str, limit: int) -> Callable[[Database], list[Row]]:
    name, friday, at = asked.text(symbol, "a symbol"), asked.week(week), asked.moment(as_of)
    chosen = asked.scope(scope)

    def find(database: Database) -> list[Row]:
        rows = find_symbol(database, name, friday, limit, chosen, at)["history"]
        return [row for row in rows if chosen in (None, row["scope"])]

    return find
