"""Pages from templates, with the style and the charts of the weekly report."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cache
from pathlib import Path
from urllib.parse import quote, urlencode

from jinja2 import Environment, PackageLoader
from markupsafe import Markup

from otcpipe.answers.moments import new_york
from otcpipe.datasets import TIERS
from otcpipe.records import ATTRIBUTION
from otcpipe.report import formatting
from otcpipe.report.rendering import environment
from otcpipe.storage.postgres import Row

THOUSAND = 1000
HERE = Path(__file__).parent


def render(template: str, **values: object) -> str:
    """Return a page."""
    return _templates().get_template(template).render(values, attribution=ATTRIBUTION, tier_names=TIERS)


@cache
def style() -> str:
    """Return the style of the weekly report, and that of these pages."""
    report = Path(formatting.__file__).with_name("page.css").read_text(encoding="utf-8")
    return report + (HERE / "static" / "web.css").read_text(encoding="utf-8")


@cache
def _templates() -> Environment:
    templates = environment(PackageLoader("otcpipe.web"))
    templates.filters.update(new_york=new_york, money=money, shares=shares, signed=signed, just_before=just_before)
    templates.filters.update(clock=clock, coded=coded, known=known)
    templates.globals.update(address=address, venue_of=venue_of, server="")
    return templates


def address(path: str, *parts: object, **query: object) -> str:
    """Return the address of a page: parts of the path and the query are encoded, empty values left out."""
    place = "/".join([path.rstrip("/"), *(quote(str(one), safe="") for one in parts)])
    given = {name.rstrip("_"): value for name, value in query.items() if value not in (None, "", False)}
    return f"{place or '/'}{f'?{urlencode(given)}' if given else ''}"


def venue_of(row: Row) -> str:
    """Return what identifies a venue in an address: its MPID, its CRD number, else its name."""
    if row["mpid"] is not None:
        return str(row["mpid"])
    return f"CRD {row['firm_crd']}" if row["firm_crd"] is not None else str(row["venue_name"] or "")


def shares(value: Decimal) -> str:
    """Format shares: whole from a thousand on; a proof has every digit."""
    return formatting.whole(value) if abs(value) >= THOUSAND else formatting.exact(value)


def money(value: Decimal) -> str:
    """Format dollars: two decimals, more below one dollar."""
    return f"{value:,.2f}" if value >= 1 else formatting.exact(value)


def signed(value: Decimal, places: int = 0) -> str:
    """Format a number with its sign; what rounds to zero has no sign."""
    return formatting.signed(value, places)


def clock(moment: datetime) -> str:
    """Format a moment in New York's time, where the table says so."""
    return formatting.moment(moment).removesuffix(" New York")


def known(value: object) -> str:
    """Format any value of a metric: numbers to the last digit, lists as words."""
    if isinstance(value, bool) or value is None:
        return {None: "none", True: "yes", False: "no"}[value]
    if isinstance(value, Decimal | int):
        return formatting.exact(value)
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def coded(text: str) -> Markup:
    """Return escaped text in which the parts between backticks are code."""
    parts = str(formatting.plain(text)).split("`")
    if len(parts) % 2 == 0:  # the last backtick is not closed
        parts[-2:] = ["`".join(parts[-2:])]
    return Markup("").join(Markup("<code>{}</code>").format(one) if at % 2 else one for at, one in enumerate(parts))


def just_before(moment: datetime) -> str:
    """Return the moment before, as an address has it."""
    return (moment - timedelta(microseconds=1)).astimezone(UTC).isoformat()
