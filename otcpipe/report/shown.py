"""Numbers and words as people read them; nothing is rounded before it is compared."""

import re
from datetime import date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from markupsafe import Markup

MINUS = "\N{MINUS SIGN}"
UNITS: tuple[tuple[int, str], ...] = ((10**12, "tn"), (10**9, "bn"), (10**6, "m"), (10**3, "k"))
CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f]")
NEW_YORK = ZoneInfo("America/New_York")


def plain(value: object) -> object:
    """Text without what a reader would obey; markup stays what it is."""
    if isinstance(value, str) and not isinstance(value, Markup):
        return CONTROLS.sub("\N{REPLACEMENT CHARACTER}", value)
    return value


def whole(value: Decimal | int) -> str:
    return f"{value:,.0f}"


def compact(value: Decimal | int) -> str:
    """Three figures and a unit: 1.32 bn."""
    exact = Decimal(value)
    for size, unit in UNITS:
        scaled = exact / size
        if abs(scaled) >= Decimal("0.9995"):
            places = 2 if abs(scaled) < 10 else 1 if abs(scaled) < 100 else 0  # noqa: PLR2004 - three figures
            return f"{scaled:.{places}f}\N{NO-BREAK SPACE}{unit}"
    return whole(value)


def rounded(value: float) -> str:
    """A step of an axis: 30 bn."""
    figure, _, unit = compact(int(value)).partition("\N{NO-BREAK SPACE}")
    return f"{figure.rstrip('0').rstrip('.') if '.' in figure else figure}\N{NO-BREAK SPACE}{unit}".rstrip()


def percent(value: Decimal, places: int = 1) -> str:
    return f"{value:.{places}f}\N{NO-BREAK SPACE}%".replace("-", MINUS)


def change(value: Decimal, places: int = 1) -> str:
    """A percentage with its sign."""
    is_nothing = not round(value, places)
    return (
        percent(Decimal(0), places) if is_nothing else f"{value:+.{places}f}\N{NO-BREAK SPACE}%".replace("-", MINUS)
    )


def day(value: date) -> str:
    return f"{value.day} {value:%B %Y}"


def short_day(value: date) -> str:
    return f"{value.day} {value:%b}"


def moment(value: datetime) -> str:
    local = value.astimezone(NEW_YORK)
    return f"{local.day} {local:%b %Y, %H:%M} New York"


def count(number: int, one: str, more: str | None = None) -> str:
    """`1 record`, `2 records`."""
    return f"{number:,} {one if number == 1 else more or one + 's'}"


FILTERS = {
    function.__name__: function
    for function in (whole, compact, rounded, percent, change, day, short_day, moment, count)
}
