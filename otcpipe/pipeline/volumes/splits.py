"""Files of stock splits: the symbol, the first day with the new shares, the ratio, and since when it was known."""

import re
from datetime import date, datetime, time, timedelta
from decimal import ROUND_HALF_UP, Decimal, localcontext
from fractions import Fraction

import pyarrow as pa

from otcpipe.errors import Invalid
from otcpipe.pipeline.volumes import columns
from otcpipe.pipeline.volumes.consolidated import spelled
from otcpipe.weeks import LATEST, NEW_YORK, trading_calendar, week_ending

NAMES, OPTIONAL = ("symbol", "ex_date", "ratio"), ("known_from",)
RATIO, MOMENT = pa.decimal128(24, 12), pa.timestamp("us", "UTC")
FIRST_DAY = date(1900, 1, 1)
LARGEST = 100_000  # new shares for an old one, or old shares for a new one
_NUMBER = r"(\d{1,9}(?:\.\d{1,9})?)"
_RATIO = re.compile(rf"{_NUMBER}(?:\s*(?::|/|-?for-?)\s*{_NUMBER})?", re.ASCII | re.IGNORECASE)


def read(content: bytes) -> pa.Table:
    """Return a row for each split, its ex-date as `day`; raises Invalid if the bytes are not such a file.

    A split belongs to the week of its ex-date. `mixed_ratio` is what the shares of that week are multiplied by, which
    had old shares too if it traded before the ex-date, at an even pace.
    """
    texts = columns.read_csv(content, NAMES, OPTIONAL)
    days = columns.days(texts["ex_date"], "ex_date").to_pylist()
    ratios = [_ratio(text, line) for line, text in enumerate(texts["ratio"].to_pylist(), start=2)]
    weeks = [_week(day, ratio) for day, ratio in zip(days, ratios, strict=True)]
    table = pa.table(
        {
            "symbol": spelled(columns.require_texts(texts["symbol"], "symbol")),
            "day": pa.array(days, pa.date32()),
            "ratio": pa.array(ratios, RATIO),
            "week_ending": pa.array([week for week, _ in weeks], pa.date32()),
            "mixed_ratio": pa.array([mixed for _, mixed in weeks], RATIO),
            "known_from": pa.array(
                [_moment(text, line) for line, text in enumerate(texts["known_from"].to_pylist(), start=2)], MOMENT
            ),
        }
    )
    columns.require_unique(table, ("symbol", "week_ending"))
    return table


def _ratio(text: str | None, line: int) -> Decimal:
    found = _RATIO.fullmatch((text or "").strip())
    new, old = (Fraction(part or 1) for part in found.groups()) if found else (Fraction(0), Fraction(1))
    if not old or not Fraction(1, LARGEST) <= new / old <= LARGEST:
        raise Invalid(
            f"Line {line:,}: ratio {text or ''!r} is not new shares for old ones, such as 4:1, 1:10 or 1.5."
        )
    return _rounded(new / old)


def _week(day: date, ratio: Decimal) -> tuple[date, Decimal | None]:
    """Return the week of the first trading day with new shares, and what its shares are multiplied by."""
    week = week_ending(day)
    sessions = trading_calendar.trading_days(week)
    old, new = (sum(one < day for one in sessions), sum(one >= day for one in sessions))
    if not new:
        return week + timedelta(days=7), None
    return week, _rounded(len(sessions) * Fraction(ratio) / (old + new * Fraction(ratio))) if old else None


def _rounded(value: Fraction) -> Decimal:
    with localcontext(prec=50):
        exact = Decimal(value.numerator) / Decimal(value.denominator)
        return exact.quantize(Decimal(1).scaleb(-RATIO.scale), ROUND_HALF_UP)


def _moment(text: str | None, line: int) -> datetime | None:
    """Return a moment, which a date begins in New York; None for no text."""
    plain = (text or "").strip()
    try:
        moment = (_start_of_day(plain) or datetime.fromisoformat(plain)) if plain else None
        if moment and not (moment.tzinfo and FIRST_DAY.year < moment.year <= LATEST.year):
            raise ValueError(plain)
    except ValueError:
        raise Invalid(f"Line {line:,}: known_from {text!r} is not a date, or a time with its zone.") from None
    return moment


def _start_of_day(text: str) -> datetime | None:
    try:
        return datetime.combine(date.fromisoformat(text), time.min, NEW_YORK)
    except ValueError:
        return None
