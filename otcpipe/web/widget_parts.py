"""What widgets of OpenBB Workspace are made of: parameters, columns, and the table itself."""

from typing import Any

from otcpipe.answers import ranking
from otcpipe.datasets import ALL_TIERS, SCOPES, TIERS
from otcpipe.records import ATTRIBUTION
from otcpipe.web import api

Fields = dict[str, Any]
WIDTH = 40  # columns of Workspace's grid


def choice(name: str, label: str, options: tuple[str, ...], value: str) -> Fields:
    """Return a parameter that is one of several texts."""
    shown = [{"label": one or "newest", "value": one} for one in options]
    return {"paramName": name, "label": label, "type": "text", "value": value, "options": shown}


SYMBOL: Fields = {
    "paramName": "symbol",
    "label": "Symbol",
    "type": "text",
    "value": "AAPL",
    "description": "Case-sensitive, such as BRK.B",
}
AS_OF: Fields = {"paramName": "as_of", "label": "As known on", "type": "date", "value": None, "optional": True}
WEEK: Fields = {"paramName": "week", "label": "Week of", "type": "date", "value": None, "optional": True}
WEEKS: Fields = {"paramName": "weeks", "label": "Weeks", "type": "number", "value": 52}
SCOPE = choice("scope", "Volume", SCOPES, "ALL")
TIER = choice("tier", "Tier", (ALL_TIERS, *TIERS), ALL_TIERS)
BY = choice("by", "By", ranking.BY, "volume")


def text(field: str, heading: str, *, is_key: bool = False) -> Fields:
    """Return a column of text; the key stays in view."""
    found = {"field": field, "headerName": heading, "cellDataType": "text", "chartDataType": "category"}
    return found | ({"pinned": "left"} if is_key else {})


def day(field: str, heading: str) -> Fields:
    """Return a column of dates."""
    return {"field": field, "headerName": heading, "cellDataType": "dateString", "chartDataType": "time"}


def number(field: str, heading: str, form: str = "none", *, is_change: bool = False) -> Fields:
    """Return a column of numbers; a change is green or red."""
    found = {"field": field, "headerName": heading, "cellDataType": "number", "formatterFn": form}
    return found | {"chartDataType": "series"} | ({"renderFn": "greenRed"} if is_change else {})


def widget(name: str, text: str, endpoint: str, params: list[Fields], columns: list[Fields]) -> Fields:
    """Return a table of an address of the API."""
    return {
        "name": name,
        "description": f"{text} {ATTRIBUTION}",
        "category": "Market structure",
        "subCategory": "Off-exchange volume",
        "source": ["FINRA", "otcpipe"],
        "type": "table",
        "endpoint": f"{api.PREFIX.lstrip('/')}/{endpoint}",
        "gridData": {"w": WIDTH // 2, "h": 12},
        "params": params,
        "data": {"table": {"showAll": True, "enableCharts": True, "columnsDefs": columns}},
    }
