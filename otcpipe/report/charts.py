"""Geometry of small charts, in units of their view boxes."""

from collections.abc import Sequence
from decimal import Decimal
from math import ceil

WIDTH, HEIGHT, EDGE = 120, 28, 3  # of a sparkline
MOST_TICKS = 4
STEPS = (Decimal("0.25"), Decimal("0.5"), Decimal(1), Decimal(2), Decimal("2.5"))  # the last reaches ten

Number = Decimal | int | float


def spark(values: Sequence[Number | None]) -> dict[str, object]:
    """Return an SVG path through the values, on a scale from zero, with gaps for None; and the last point or None."""
    top = max((float(value) for value in values if value is not None), default=0) or 1
    step = (WIDTH - 2 * EDGE) / max(len(values) - 1, 1)
    points = [
        None if value is None else (EDGE + step * at, HEIGHT - EDGE - (HEIGHT - 2 * EDGE) * float(value) / top)
        for at, value in enumerate(values)
    ]
    path, is_open = [], False
    for point in points:
        if point:
            path.append(f"{'L' if is_open else 'M'}{point[0]:.1f} {point[1]:.1f}")
        is_open = point is not None
    last = points[-1] if points else None
    return {"path": "".join(path), "last": last and (f"{last[0]:.1f}", f"{last[1]:.1f}")}


def part(value: Number, whole: Number) -> str:
    """Return the percentage of a value, as text with two decimals."""
    return f"{100 * float(value) / float(whole):.2f}" if whole else "0"


def ceiling(largest: Number) -> Decimal:
    """Return the top of an axis: the first round step at or above the largest value; 1 if that is not positive."""
    exact = Decimal(largest)
    return ceil(exact / _step(exact)) * _step(exact) if exact > 0 else Decimal(1)


def ticks(top: Number) -> list[Decimal]:
    """Return two to four round steps up to the largest value, exact at any magnitude; none if it is not positive."""
    exact = Decimal(top)
    return [_step(exact) * number for number in range(1, int(exact / _step(exact)) + 1)] if exact > 0 else []


def _step(top: Decimal) -> Decimal:
    size = Decimal(1).scaleb(top.adjusted())  # one to ten of it make up the largest value
    return size * next(share for share in STEPS if top <= share * MOST_TICKS * size)
