"""Tables for OpenBB Workspace: `widgets.json` says which addresses of the API it shows, `apps.json` lays them out."""

from fastapi import APIRouter

from otcpipe.records import ATTRIBUTION
from otcpipe.web.widget_parts import (
    AS_OF,
    BY,
    SCOPE,
    SYMBOL,
    TIER,
    WEEK,
    WEEKS,
    WIDTH,
    Fields,
    day,
    number,
    text,
    widget,
)

router = APIRouter(include_in_schema=False)
WIDGETS = {
    "otc_symbol_weeks": widget(
        "Off-exchange volume of a symbol",
        "Weekly shares off exchange, against the mean of six weeks, with ATS share and HHI, an interval.",
        "symbol-weeks",
        [SYMBOL, WEEKS, SCOPE, AS_OF],
        [
            day("week_ending", "Week ending"),
            number("volume", "Shares", "int"),
            number("trades", "Trades", "int"),
            number("volume_vs_avg_pct", "vs 6-week mean %", is_change=True),
            number("ats_fraction", "ATS share", "normalizedPercent"),
            number("hhi", "HHI"),
            number("hhi_upper", "HHI, upper end"),
            text("concentration_level", "Concentration"),
            day("published_on", "Published"),
        ],
    ),
    "otc_symbol_venues": widget(
        "Venues of a symbol",
        "Who traded a symbol off exchange in a week; firms too small to be named are one row.",
        "symbol-venues",
        [SYMBOL, WEEK, SCOPE, AS_OF],
        [
            text("venue_name", "Venue", is_key=True),
            text("mpid", "MPID"),
            number("share_pct", "Share %"),
            number("volume", "Shares", "int"),
            number("trades", "Trades", "int"),
            number("avg_trade_size", "Shares per trade"),
        ],
    ),
    "otc_venues": widget(
        "League table of venues",
        "Shares of off-exchange volume in a week, with rank and changes in percentage points.",
        "venues",
        [WEEK, TIER, SCOPE, AS_OF],
        [
            number("rank", "Rank", "int"),
            text("venue_name", "Venue", is_key=True),
            text("mpid", "MPID"),
            number("market_share_pct", "Share %"),
            number("share_change_1w_pts", "1 week, points", is_change=True),
            number("share_change_13w_pts", "13 weeks, points", is_change=True),
            number("total_volume", "Shares", "int"),
            number("symbol_count", "Symbols", "int"),
        ],
    ),
    "otc_top": widget(
        "Symbols of a week",
        "The first symbols of a week by volume, trades, change, concentration or ATS share.",
        "top",
        [WEEK, BY, SCOPE],
        [
            text("symbol", "Symbol", is_key=True),
            text("issue_name", "Issue"),
            number("volume", "Shares", "int"),
            number("trades", "Trades", "int"),
            number("volume_vs_avg_pct", "vs 6-week mean %", is_change=True),
            number("ats_fraction", "ATS share", "normalizedPercent"),
            number("hhi", "HHI"),
        ],
    ),
    "otc_revisions": widget(
        "Restatements of a symbol",
        "What FINRA changed after its first publication, before and after, and when it was observed.",
        "revisions",
        [SYMBOL],
        [
            day("week_ending", "Week ending"),
            text("venue_name", "Venue"),
            text("change", "Change"),
            number("share_volume_before", "Shares before", "int"),
            number("share_volume_after", "Shares after", "int"),
            text("observed_at", "Observed"),
        ],
    ),
    "otc_coverage": widget(
        "Coverage",
        "Which weeks of which tiers are loaded, and how good they are.",
        "coverage",
        [],
        [
            day("week_ending", "Week ending"),
            text("tier", "Tier"),
            text("state", "State"),
            text("grade", "Grade"),
            number("restated", "Restated", "int"),
        ],
    ),
}


def _placed(name: str, x: int, y: int, w: int = WIDTH // 2, h: int = 14) -> Fields:
    return {"i": name, "x": x, "y": y, "w": w, "h": h}


def _tab(name: str, *layout: Fields) -> Fields:
    return {"id": name.lower(), "name": name, "layout": list(layout)}


APPS = [
    {
        "name": "Off-exchange volume",
        "description": f"Dark pools and off-exchange dealers by symbol, venue and week. {ATTRIBUTION}",
        "img": "",
        "allowCustomization": True,
        "tabs": {
            "symbol": _tab(
                "Symbol",
                _placed("otc_symbol_weeks", 0, 0),
                _placed("otc_symbol_venues", WIDTH // 2, 0),
                _placed("otc_revisions", 0, 14, WIDTH),
            ),
            "market": _tab(
                "Market",
                _placed("otc_venues", 0, 0),
                _placed("otc_top", WIDTH // 2, 0),
                _placed("otc_coverage", 0, 14, WIDTH),
            ),
        },
        "groups": [
            {
                "name": "Symbol",
                "type": "param",
                "paramName": "symbol",
                "defaultValue": "AAPL",
                "widgetIds": ["otc_symbol_weeks", "otc_symbol_venues", "otc_revisions"],
            }
        ],
    }
]


@router.get("/widgets.json")
async def widgets() -> dict[str, Fields]:
    """Return the widgets by their identifiers."""
    return WIDGETS


@router.get("/apps.json")
async def apps() -> list[Fields]:
    """Return the dashboards."""
    return APPS
