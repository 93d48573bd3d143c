"""Generated files of the volume of all trading, in the makers' form. No row is a real one."""

from collections.abc import Iterable, Iterator
from datetime import date, timedelta
from decimal import Decimal
from random import Random
from typing import NamedTuple

from tests.metrics.records import CLOSED

HEADER = (
    "Day,Market Participant,Tape A Shares,Tape B Shares,Tape C Shares,Total Shares,Tape A Notional,Tape B Notional,"
    "Tape C Notional,Total Notional,Tape A Trade Count,Tape B Trade Count,Tape C Trade Count,Total Trade Count"
)
PARTICIPANTS = (
    "NYSE (N)",
    "Nasdaq (Q)",
    "EDGX Equities (K)",
    "FINRA / Nasdaq TRF Carteret (DQ)",
    "FINRA / NYSE TRF (DN)",
)


class Traded(NamedTuple):
    """What one participant traded on a day: shares of the tapes A, B and C."""

    day: date
    participant: str
    shares: tuple[Decimal, Decimal, Decimal]

    @property
    def code(self) -> str:
        return self.participant.rpartition("(")[2].rstrip(")")


def sessions(first: date, last: date) -> Iterator[date]:
    """The trading days from one day to another."""
    for number in range((last - first).days + 1):
        day = first + timedelta(days=number)
        if day.weekday() < 5 and str(day) not in CLOSED:
            yield day


def traded(first: date, last: date, seed: int = 0, unit: int = 1000) -> list[Traded]:
    """Days of a made-up market; some shares are fractional."""
    random = Random(seed)
    return [
        Traded(
            day,
            name,
            (
                Decimal(random.randrange(unit)),
                Decimal(random.randrange(unit)),
                Decimal(random.randrange(unit * 1000)) / 1000,
            ),
        )
        for day in sessions(first, last)
        for name in PARTICIPANTS
    ]


def market_file(rows: Iterable[Traded]) -> str:
    """The text of a yearly file."""
    lines = [HEADER]
    for row in rows:
        notional = [3 * shares for shares in row.shares]
        trades = [int(shares) // 100 for shares in row.shares]
        cells = [row.day, row.participant]
        cells += [*row.shares, sum(row.shares), *notional, sum(notional), *trades, sum(trades)]
        lines.append(",".join(map(str, cells)))
    return "\n".join(lines) + "\n"


def volume_file(rows: Iterable[tuple[str, date, object]]) -> str:
    """The text of a file of consolidated volume."""
    return "symbol,date,volume\n" + "".join(f"{symbol},{day},{volume}\n" for symbol, day, volume in rows)


def split_file(rows: Iterable[tuple[object, ...]]) -> str:
    """The text of a file of splits: symbol, ex-date, ratio, and since when it was known, if given."""
    lines = (",".join(str(cell) for cell in (*row, "")[:4]) for row in rows)
    return "\n".join(["symbol,ex_date,ratio,known_from", *lines]) + "\n"
