"""Cboe's yearly files of market volume: shares, dollars and trades by day, participant and tape."""

import pyarrow as pa
import pyarrow.compute as pc

from otcpipe.errors import Invalid
from otcpipe.pipeline.volumes import columns

TAPES = ("A", "B", "C")
SHARES, NOTIONAL, TRADES = pa.decimal128(26, 6), pa.decimal128(30, 6), pa.int64()
DAY, PARTICIPANT = "Day", "Market Participant"
NAMES = (
    DAY,
    PARTICIPANT,
    *(f"Tape {tape} {what}" for what in ("Shares", "Notional", "Trade Count") for tape in TAPES),
    "Total Shares",
)
KEYS = ("day", "participant_code", "tape")
_CODE = r"\((?P<code>[A-Z]{1,3})\)\s*$"


def read(content: bytes) -> tuple[pa.Table, str | None]:
    """Return a row for each day, participant and tape, and a warning if totals differ from the sums of their tapes.

    A participant is known by the code in parentheses after its name, which changes over the years. Raises Invalid if
    the bytes are not such a file.
    """
    texts = columns.read_csv(content, NAMES)
    day, name = columns.days(texts[DAY], DAY), columns.require_texts(texts[PARTICIPANT], PARTICIPANT)
    code = pc.struct_field(pc.extract_regex(name, _CODE), "code")
    if code.null_count:
        row = pc.index(pc.is_null(code), True).as_py()
        raise Invalid(f"Line {row + 2:,}: the participant {name[row].as_py()!r} has no code in parentheses.")
    parts = [_tape(texts, tape, {"day": day, "participant_code": code, "participant": name}) for tape in TAPES]
    table = pa.concat_tables(parts)
    columns.require_unique(table, KEYS)
    return table, _differing(texts, parts)


def _tape(texts: pa.Table, tape: str, keys: dict[str, pa.Array]) -> pa.Table:
    shares, notional, trades = (f"Tape {tape} {what}" for what in ("Shares", "Notional", "Trade Count"))
    return pa.table(
        keys
        | {
            "tape": pa.repeat(pa.scalar(tape), len(texts)),
            "shares": columns.numbers(texts[shares], shares, SHARES, 20),
            "notional": columns.numbers(texts[notional], notional, NOTIONAL, 24),
            "trades": columns.numbers(texts[trades], trades, TRADES, 15),
        }
    )


def _differing(texts: pa.Table, parts: list[pa.Table]) -> str | None:
    total = columns.numbers(texts["Total Shares"], "Total Shares", SHARES, 20)
    one, two, three = (part["shares"].combine_chunks() for part in parts)
    kind = pa.decimal128(32, 6)
    summed = pc.add(pc.add(one.cast(kind), two.cast(kind)), three.cast(kind))
    differing = pc.sum(pc.not_equal(summed, total.cast(kind))).as_py()
    return f"In {differing:,} rows Total Shares is not the sum of the tapes, which are used." if differing else None
