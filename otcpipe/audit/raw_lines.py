"""The lines of raw bytes about a symbol, read independently of parse and normalize: a check on those stages."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from otcpipe.text import dialect, escapes, quoted
from otcpipe.text.dialect import Dialect
from otcpipe.text.limits import CRD_DIGITS, DECIMALS, SHARE_DIGITS, TRADE_DIGITS
from otcpipe.text.values import respell

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
    lines = source.text.split(b"\n")
    header = lines[0].decode("utf-8", "replace").removesuffix("\r")
    sought, found = (escapes.escape(symbol) if source.is_escaped else symbol).encode(), []
    for at, line in enumerate(lines):
        if at and sought in line:
            text, values = _values(lines, at, source)
            if len(values) == len(source.columns):
                fields = dict(zip(source.columns, values, strict=True))
                found.append(Line(at + 1 + source.lines_above, text, header, fields))
    return [line for line in found if line.fields["issueSymbolIdentifier"] == symbol and line.is_readable]


def _text(number: object) -> str | None:
    return None if number is None else str(number)


def _values(lines: Sequence[bytes], at: int, source: Dialect) -> tuple[str, Sequence[str]]:
    """Return text and values of the row that begins on a line; no values if no row does."""
    if not source.is_quoted:
        text = lines[at].decode("utf-8", "replace").removesuffix("\r")
        unescape = escapes.unescape if source.is_escaped else str
        return text, [unescape(value) for value in text.split(source.delimiter)]
    values, count = quoted.values_at(lines, at, source)
    text = b"\n".join(lines[at : at + count]).decode("utf-8", "replace")
    return text, () if isinstance(values, str) else values
