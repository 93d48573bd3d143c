"""The pages about the market: a week, symbols, venues, restatements, and proofs."""

from collections import Counter
from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import RedirectResponse, Response

from otcpipe import report, resources
from otcpipe.answers import changes, ranking, series, signals, venue
from otcpipe.answers.proof import proof
from otcpipe.answers.symbol import symbol as find_symbol
from otcpipe.audit.revisions import newest
from otcpipe.storage.postgres import Database
from otcpipe.web import asked
from otcpipe.web.ranked import Ranked
from otcpipe.web.rendering import address
from otcpipe.web.services import Shared
from otcpipe.web.showing import Show

router = APIRouter(include_in_schema=False)
MAX_REVISIONS, MAX_SYMBOLS, LEAGUE_WEEKS, LEAGUE_RANKS = 500, 50, 26, 8
Weeks = Annotated[int, Query(ge=1, le=1040)]


@router.get("/")
async def home(show: Show, week: asked.Week = "") -> Response:
    """Show a week, by default the newest with all tiers: the weekly report."""
    friday, now = asked.week(week), resources.settings().now()
    return await show("home.html", lambda database: report.variables(database, friday, now), is_slow=True)


@router.get("/symbols")
async def symbols(show: Show, shared: Shared, q: asked.Text = "") -> Response:
    """Find symbols, and go to the only one."""
    found = await shared.reading.run(lambda: shared.search.find(q))
    if found and found[0]["symbol"].upper() == q.strip().upper():
        return RedirectResponse(address("/symbol", found[0]["symbol"]), 303)
    return await show("symbols.html", lambda _: {"sought": q, "found": found})


@router.get("/symbol/{name:path}")
async def symbol(
    show: Show,
    name: str,
    week: asked.Week = "",
    weeks: Weeks = 13,
    scope: asked.Scope = "",
    as_of: asked.AsOf = "",
) -> Response:
    """Show a symbol's weeks, venues, concentration, signals and revisions, also as known at a moment."""
    ticker, friday, chosen = asked.text(name, "a symbol"), asked.week(week), asked.scope(scope)
    at = asked.moment(as_of)

    def find(database: Database) -> dict[str, object]:
        found = find_symbol(database, ticker, friday, weeks, chosen, at)
        found |= signals.of_symbol(database, found, weeks) | {"revisions": newest(found["revisions"])}
        shape = {"week": week, "weeks": weeks, "scope_asked": chosen or "", "as_of_asked": as_of}
        return found | shape | series.of_symbol(found, weeks)

    return await show("symbol.html", find, is_slow=at is not None)


@router.get("/top")
async def top(show: Show, ranked: Ranked) -> Response:
    """Show the first symbols of a week in some order, or the most unusual ones."""

    def find(database: Database) -> dict[str, object]:
        rows, shape = ranked.find(database), ranked.shape
        floor = ranking.floor_sentence(ranked.least)
        return {"rows": rows, "asked": shape, "as_of": ranked.at, "least": ranked.least, "floor_sentence": floor} | {
            "among": ranking.among(ranked.by, ranked.number),
            "asked_elsewhere": {name: value for name, value in shape.items() if name != "as_of"},
        }

    return await show("top.html", find, is_slow=ranked.at is not None)


@router.get("/venues")
async def venues(
    show: Show,
    week: asked.Week = "",
    tier: asked.VenueTier = "",
    scope: asked.Scope = "ATS",
    as_of: asked.AsOf = "",
) -> Response:
    """Show the league table of a week, and the leading venues' shares over half a year."""
    friday, of_tier, of_scope = asked.week(week), asked.venue_tier(tier), asked.scope(scope) or "ATS"
    at = asked.moment(as_of)

    def find(database: Database) -> dict[str, object]:
        rows = venue.league(database, friday, of_tier, of_scope, at)
        shares = []
        if rows and at is None:
            place = (rows[0]["week_ending"], rows[0]["tier"], of_scope)
            shares = venue.shares_by_week(database, *place, LEAGUE_RANKS, LEAGUE_WEEKS)
        shape = {"week": week, "tier": tier, "scope": of_scope, "as_of": at, "as_of_asked": as_of}
        return shape | {"rows": rows, "lines": series.of_shares(shares)}

    return await show("venues.html", find, is_slow=at is not None)


@router.get("/venue/{name:path}")
async def one_venue(
    show: Show, name: str, weeks: Weeks = 52, tier: asked.VenueTier = "ALL_TIERS", scope: asked.Scope = "ATS"
) -> Response:
    """Show a venue's weeks and its largest symbols."""
    sought = asked.venue(name)
    of_tier, of_scope = asked.venue_tier(tier) or "ALL_TIERS", asked.scope(scope) or "ATS"

    def find(database: Database) -> dict[str, object]:
        found, used = venue.first_with_weeks(database, sought, of_tier, of_scope, weeks)
        traded = venue.symbols(database, used["name"], found[0]["week_ending"], MAX_SYMBOLS)
        return {"weeks": weeks, "rows": found, "symbols": traded} | used | series.of_venue(found)

    return await show("venue.html", find)


@router.get("/restatements")
async def restatements(
    show: Show, week: asked.Week = "", symbol: asked.Text = "", as_of: asked.AsOf = ""
) -> Response:
    """Show what changed after its first capture: of a week, or of a symbol."""
    friday, ticker, at = asked.week(week), symbol or None, asked.moment(as_of)

    def find(database: Database) -> dict[str, object]:
        of_week = friday if friday or ticker else series.newest_week(database)
        rows = changes.changes(database, of_week, ticker, at) if of_week or ticker else []
        return {
            "week": of_week,
            "symbol": symbol,
            "as_of": at,
            "as_of_asked": as_of,
            "kinds": Counter(row["change"] for row in rows),
            "count": len(rows),
            "rows": sorted(rows, key=changes.size)[:MAX_REVISIONS],
            "restated": [] if rows or ticker else changes.restated_weeks(database, at),
        }

    return await show("restatements.html", find, is_slow=True)


@router.get("/proof/{week}/{name:path}")
async def proof_of(show: Show, week: str, name: str, metric: asked.Text = "", as_of: asked.AsOf = "") -> Response:
    """Show the formulas behind a symbol's numbers, and the lines of stored files that they follow from."""
    friday, ticker = asked.required_week(week), asked.text(name, "a symbol")
    prefix, at = resources.settings()["S3_PREFIX"], asked.moment(as_of)

    def find(database: Database) -> dict[str, object]:
        found = proof(database, resources.store(), prefix, ticker, friday, metric or None, at)
        return found | {"as_of_asked": as_of}

    return await show("proof.html", find, is_slow=True)
