"""The JSON API, version 1: flat lists of objects, in the shapes of `--json`."""

from typing import Annotated, Any

from fastapi import APIRouter, Query
from starlette.responses import Response

from otcpipe import resources
from otcpipe.answers import changes, partition, tables, venue
from otcpipe.answers.proof import proof
from otcpipe.answers.symbol import symbol as find_symbol
from otcpipe.metrics import catalog
from otcpipe.pipeline import captures as all_captures
from otcpipe.storage.postgres import Database, Row
from otcpipe.web import asked
from otcpipe.web.answering import Answering
from otcpipe.web.problems import PROBLEMS
from otcpipe.web.ranked import Ranked
from otcpipe.web.services import Shared, depends

PREFIX = "/api/v1"
OTHER_FORMS: dict[int | str, dict[str, Any]] = {
    200: {"content": {"text/csv": {}, "application/vnd.apache.parquet": {}}, "description": "The rows."}
}
router = APIRouter(prefix=PREFIX, responses=OTHER_FORMS | PROBLEMS)
Answer = Annotated[Answering, depends(Answering)]
List = list[dict[str, Any]]


@router.get("/symbols", response_model=List, tags=["symbols"])
async def symbols(shared: Shared, answer: Answer, q: asked.Text = "") -> Response:
    """Find symbols by the beginning of a ticker, or by a word of the issue's name."""
    return await answer(lambda _: shared.search.find(q))


@router.get("/symbol-weeks", response_model=List, tags=["symbols"])
async def symbol_weeks(
    answer: Answer,
    symbol: asked.Symbol,
    week: asked.Week = "",
    weeks: asked.Weeks = 13,
    scope: asked.Scope = "",
    as_of: asked.AsOf = "",
) -> Response:
    """Return a symbol's weeks by scope, newest first: volume, six-week mean, ATS share, concentration, price."""
    name, friday, chosen = asked.text(symbol, "a symbol"), asked.week(week), asked.scope(scope)
    at = asked.moment(as_of)

    def find(database: Database) -> list[Row]:
        found = find_symbol(database, name, friday, weeks, chosen, at)["history"]
        return [row for row in found if chosen in (None, row["scope"])]

    return await answer(find, is_slow=at is not None)


@router.get("/symbol-venues", response_model=List, tags=["symbols"])
async def symbol_venues(
    answer: Answer,
    symbol: asked.Symbol,
    week: asked.Week = "",
    scope: asked.Scope = "",
    as_of: asked.AsOf = "",
) -> Response:
    """Return who traded a symbol in a week; the unnamed firms are one row."""
    name, friday, chosen = asked.text(symbol, "a symbol"), asked.week(week), asked.scope(scope)
    at = asked.moment(as_of)
    return await answer(lambda database: find_symbol(database, name, friday, 1, chosen, at)["venues"])


@router.get("/revisions", response_model=List, tags=["symbols"])
async def all_revisions(
    answer: Answer, symbol: asked.Text = "", week: asked.Week = "", as_of: asked.AsOf = ""
) -> Response:
    """Return what changed after its first capture, of a symbol or of a week."""
    name, friday = asked.text(symbol, "a symbol") if symbol else None, asked.week(week)
    at = asked.moment(as_of)
    return await answer(lambda database: changes.changes(database, friday, name, at), is_slow=not name)


@router.get("/explain", response_model=List, tags=["symbols"])
async def explain(
    answer: Answer, symbol: asked.Symbol, week: asked.Week, metric: asked.Text = "", as_of: asked.AsOf = ""
) -> Response:
    """Return one object: a symbol's metrics of a week, and the lines of stored files that they follow from."""
    name, friday = asked.text(symbol, "a symbol"), asked.required_week(week)
    prefix, at = resources.settings()["S3_PREFIX"], asked.moment(as_of)

    def find(database: Database) -> list[Row]:
        return [proof(database, resources.store(), prefix, name, friday, metric or None, at)]

    return await answer(find, is_slow=True)


@router.get("/top", response_model=List, tags=["weeks"])
async def top(answer: Answer, ranked: Ranked) -> Response:
    """Return the first symbols of a week by volume, trades, change, hhi or ats-fraction, or the most unusual ones."""
    return await answer(ranked.find, is_slow=ranked.at is not None)


@router.get("/venues", response_model=List, tags=["venues"])
async def venues(
    answer: Answer,
    week: asked.Week = "",
    tier: asked.VenueTier = "",
    scope: asked.Scope = "ATS",
    as_of: asked.AsOf = "",
) -> Response:
    """Return the venues of a week by share: the league table."""
    of_week, of_tier, of_scope = asked.week(week), asked.venue_tier(tier), asked.scope(scope) or "ATS"
    at = asked.moment(as_of)
    return await answer(
        lambda database: venue.league(database, of_week, of_tier, of_scope, at), is_slow=at is not None
    )


@router.get("/venue-weeks", response_model=List, tags=["venues"])
async def venue_weeks(
    answer: Answer,
    venue_: Annotated[str, Query(alias="venue", max_length=asked.LONGEST, description="MPID, CRD number or a name.")],
    week: asked.Week = "",
    weeks: asked.Weeks = 13,
    tier: asked.VenueTier = "ALL_TIERS",
    scope: asked.Scope = "",
) -> Response:
    """Return a venue's weeks, newest first: share, rank, and their changes; by default in the venue's own scope."""
    name, of_week = asked.venue(venue_), asked.week(week)
    of_tier = asked.venue_tier(tier) or "ALL_TIERS"
    of_scope = asked.scope(scope) or ("NON_ATS" if name.startswith("CRD ") else "ATS")
    return await answer(lambda database: venue.weeks_of(database, name, of_tier, of_scope, of_week, weeks))


@router.get("/coverage", response_model=List, tags=["weeks"])
async def all_coverage(
    answer: Answer,
    first: Annotated[str, Query(alias="from", max_length=asked.LONGEST)] = "",
    last: Annotated[str, Query(alias="to", max_length=asked.LONGEST)] = "",
) -> Response:
    """Return the state of each partition, oldest first."""
    begin, end = asked.span(first, last)
    settings = resources.settings()
    return await answer(
        lambda database: partition.states(database, settings.now(), settings.since, begin, end), is_of_work=True
    )


@router.get("/captures", response_model=List, tags=["weeks"])
async def captures(answer: Answer, week: asked.Week = "", tier: asked.Tier = "") -> Response:
    """Return the observations of partitions, oldest first."""
    of_week, of_tier = asked.week(week), asked.tier(tier)
    return await answer(lambda database: all_captures.listed(database, of_week, of_tier), is_of_work=True)


@router.get("/tables", response_model=List, tags=["tables"])
async def all_tables(answer: Answer) -> Response:
    """Return the columns of the records and of each metric, with their descriptions."""
    return await answer(lambda _: tables.described())


@router.get("/tables/{table}", response_model=List, tags=["tables"])
async def one_table(
    answer: Answer,
    table: str,
    first: Annotated[str, Query(alias="from", max_length=asked.LONGEST)] = "",
    last: Annotated[str, Query(alias="to", max_length=asked.LONGEST)] = "",
    symbols: Annotated[str, Query(max_length=2000, description="Symbols, separated by commas.")] = "",
    tier: asked.VenueTier = "",
    scope: asked.Scope = "",
    as_of: asked.AsOf = "",
) -> Response:
    """Return rows of the records (`venue_volume`) or of a metric, of some symbols or of one week."""
    at = asked.moment(as_of)
    choice = tables.choice(catalog.table(table), symbols, asked.venue_tier(tier), asked.scope(scope), at)
    begin, end = asked.span(first, last)

    def find(database: Database, offset: int, limit: int) -> list[Row]:
        return tables.rows(database, choice, begin, end, offset, limit)

    return await answer.some(find, is_slow=True)
