"""The lines of raw bytes about a symbol, read independently of parse and normalize: a check on those stages."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from otcpipe.text import dialect, escapes
from otcpipe.text.dialect import Dialect
from otcpipe.text.limits import CRD_DIGITS, DECIMALS, SHARE_DIGITS, TRADE_DIGITS
from otcpipe.text.lines import values_at
from otcpipe.text.numbers import respell

Row = tuple[int, str, Sequence[str]]  # its number, its text and its values
FIRM_ROWS = {"ATS_W_SMBL_FIRM": "ATS", "OTC_W_SMBL_FIRM": "NON_ATS"}
NAMES = {
    "issueName": "issue_name",
    "MPID": "mpid",
    "productTypeCode": "product_type",
    "marketParticipantName": "venue_name",
}


@dataclass(frozen=True)
class Line:
    """A line: its number (the header is 1), its text and the header's, and its values by FINRA's column names."""

    number: int
    text: str
    header: str
    fields: Mapping[str, str]

    @property
    def is_readable(self) -> bool:
        """Whether shares and trades are valid numbers of a record."""
        shares, trades = (self.fields[name] for name in ("totalWeeklyShareQuantity", "totalWeeklyTradeCount"))
        return None not in (respell(shares, SHARE_DIGITS, DECIMALS), respell(trades, TRADE_DIGITS, 0))

    @property
    def shares(self) -> Decimal:
        """The line's shares, if it is readable."""
        return Decimal(self.fields["totalWeeklyShareQuantity"])

    @property
    def trades(self) -> int:
        """The line's trades, if it is readable."""
        return int(Decimal(self.fields["totalWeeklyTradeCount"]))

    def matches(self, record: Mapping[str, object]) -> bool:
        """Return whether venue, issue and product are the record's; a column that the line lacks matches anything."""
        firm = self.fields.get("firmCRDNumber", "")
        return (
            FIRM_ROWS.get(self.fields.get("summaryTypeCode", "ATS_W_SMBL_FIRM")) == record["venue_type"]
            and all(
                self.fields[name] == (record[column] or "") for name, column in NAMES.items() if name in self.fields
            )
            and ("firmCRDNumber" not in self.fields or respell(firm, CRD_DIGITS, 0) == _text(record["firm_crd"]))
        )


def of_symbol(content: bytes, symbol: str) -> list[Line]:
    """Return the readable lines of a symbol, in order."""
    source = dialect.detect(content)
    header = source.text.partition(b"\n")[0].decode("utf-8", "replace").removesuffix("\r")
    sought, found = (escapes.escape(symbol) if source.is_escaped else symbol).encode(), []
    rows = _quoted_rows(source, sought) if source.is_quoted else _plain_rows(source, sought)
    for number, text, values in rows:
        if len(values) == len(source.columns):
            fields = dict(zip(source.columns, values, strict=True))
            found.append(Line(number + source.lines_above, text, header, fields))
    return [line for line in found if line.fields["issueSymbolIdentifier"] == symbol and line.is_readable]


def lines_with(text: bytes, sought: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the lines below the first that hold a text, with their numbers; the first line is 1."""
    start = text.find(b"\n") + 1
    number, at = 2, text.find(sought, start) if start else -1
    while at >= 0:
        begin, end = text.rfind(b"\n", 0, at) + 1, text.find(b"\n", at)
        end = len(text) if end < 0 else end
        number += text.count(b"\n", start, begin)
        yield number, text[begin:end]
        start, number, at = end + 1, number + 1, text.find(sought, end)


def _plain_rows(source: Dialect, sought: bytes) -> Iterator[Row]:
    unescape = escapes.unescape if source.is_escaped else str
    for number, line in lines_with(source.text, sought):
        text = line.decode("utf-8", "replace").removesuffix("\r")
        yield number, text, [unescape(value) for value in text.split(source.delimiter)]


def _quoted_rows(source: Dialect, sought: bytes) -> Iterator[Row]:
    """Yield rows whose values may hold line breaks; one without values where no row begins."""
    lines, at, quoted = source.text.split(b"\n"), 1, sought.replace(b'"', b'""')
    while at < len(lines):
        count = values_at(lines, at, source)[1] if lines[at].count(b'"') % 2 else 1
        row = b"\n".join(lines[at : at + count])
        if quoted in row:
            values, _ = values_at(lines, at, source)
            yield at + 1, row.decode("utf-8", "replace"), () if isinstance(values, str) else values
        at += count


def _text(number: object) -> str | None:
    return None if number is None else str(number)
