"""Format numbers, dates and text for readers."""

import re
from datetime import date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from markupsafe import Markup

MINUS = "\N{MINUS SIGN}"
PER_CENT = "\N{NO-BREAK SPACE}%"
UNITS: tuple[tuple[int, str], ...] = ((10**12, "tn"), (10**9, "bn"), (10**6, "m"), (10**3, "k"))
CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f]")
NEW_YORK = ZoneInfo("America/New_York")


def plain(value: object) -> object:
    """Replace control characters in text by U+FFFD; markup is returned unchanged."""
    if isinstance(value, str) and not isinstance(value, Markup):
        return CONTROLS.sub("\N{REPLACEMENT CHARACTER}", value)
    return value


def whole(value: Decimal | int) -> str:
    return f"{value:,.0f}"


def exact(value: Decimal | int) -> str:
    """Format every digit, without trailing zeros."""
    return _trimmed(f"{Decimal(value):,f}")


def figure(value: Decimal, places: int = 2) -> str:
    return f"{value:,.{places}f}"


def compact(value: Decimal | int) -> str:
    """Format three significant figures and a unit, such as 1.32 bn; a fraction below one has no unit."""
    number = Decimal(value)
    for size, unit in UNITS:
        scaled = number / size
        if abs(scaled) >= Decimal("0.9995"):
            return f"{_three(scaled)}\N{NO-BREAK SPACE}{unit}"
    return _trimmed(_three(number))


def gain(value: Decimal | int) -> str:
    """Format as `compact` does, with the sign of a change."""
    return _signed(f"+{compact(value)}" if value > 0 else compact(value))


def rounded(value: Decimal | int) -> str:
    """Format a step of an axis, such as 30 bn."""
    figure, space, unit = compact(value).partition("\N{NO-BREAK SPACE}")
    return f"{_trimmed(figure)}{space}{unit}"


def _three(number: Decimal) -> str:
    """Format three significant figures, or all digits of the integer part if it has more."""
    size = abs(number)
    if 0 < size < Decimal("0.9995"):
        return f"{number:.{2 - size.adjusted()}f}"
    places = 2 if size < Decimal("9.995") else 1 if size < Decimal("99.95") else 0
    return f"{number:,.{places}f}"


def _trimmed(figure: str) -> str:
    return figure.rstrip("0").rstrip(".") if "." in figure else figure


def percent(value: Decimal | float, places: int = 1) -> str:
    return _signed(f"{value:,.{places}f}") + PER_CENT


def change(value: Decimal | float, places: int = 1) -> str:
    """Format a percentage with its sign; what rounds to zero has no sign."""
    return _signed(f"{value:+,.{places}f}") + PER_CENT


def signed(value: Decimal, places: int = 1) -> str:
    """Format a number with its sign; what rounds to zero has no sign."""
    return _signed(f"{value:+,.{places}f}")


def _signed(figure: str) -> str:
    """Use a typographic minus sign, and no sign for zero."""
    return figure.replace("-", MINUS) if figure.strip("+-0.") else figure.lstrip("+-")


def day(value: date) -> str:
    return f"{value.day} {value:%B %Y}"


def short_day(value: date) -> str:
    return f"{value.day} {value:%b}"


def moment(value: datetime) -> str:
    local = value.astimezone(NEW_YORK)
    return f"{local.day} {local:%b %Y, %H:%M} New York"


def count(number: int, one: str, more: str | None = None) -> str:
    """Return a number with its noun, such as `1 record` or `2 records`."""
    return f"{number:,} {one if number == 1 else more or one + 's'}"


FILTERS = {
    function.__name__: function
    for function in (
        whole,
        exact,
        figure,
        compact,
        gain,
        rounded,
        percent,
        change,
        signed,
        day,
        short_day,
        moment,
        count,
    )
}
