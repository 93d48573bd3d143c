"""The lines of raw bytes that tell of a symbol, read plainly: a second opinion on what parse and normalize make."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

BOM = b"\xef\xbb\xbf"
FIRM_ROWS = {"ATS_W_SMBL_FIRM": "ATS", "OTC_W_SMBL_FIRM": "NON_ATS"}
NAMES = {"issueName": "issue_name", "MPID": "mpid", "productTypeCode": "product_type"}


@dataclass(frozen=True)
class Line:
    """A line by its number, the header's being 1, its text, and its fields by FINRA's names."""

    number: int
    text: str
    fields: Mapping[str, str]

    @property
    def shares(self) -> Decimal:
        return Decimal(self.fields["totalWeeklyShareQuantity"])

    @property
    def trades(self) -> int:
        return int(self.fields["totalWeeklyTradeCount"])

    def tells(self, record: Mapping[str, object]) -> bool:
        """Whether the line is of the record's venue, issue and product, as far as it says."""
        firm = self.fields.get("firmCRDNumber", "")
        return (
            FIRM_ROWS.get(self.fields.get("summaryTypeCode", "ATS_W_SMBL_FIRM")) == record["venue_type"]
            and all(self.fields[name] == (record[ours] or "") for name, ours in NAMES.items() if name in self.fields)
            and (
                "firmCRDNumber" not in self.fields or (int(firm) if firm.isdecimal() else None) == record["firm_crd"]
            )
        )


def of_symbol(content: bytes, symbol: str) -> list[Line]:
    """All lines of the symbol, in order; one that is not a row is none."""
    header, *lines = content.removeprefix(BOM).split(b"\n")
    names = header.decode().removesuffix("\r").split("|")
    found = []
    sought = symbol.encode()
    for number, line in enumerate(lines, 2):
        if sought not in line:
            continue
        text = line.decode("utf-8", "replace").removesuffix("\r")
        values = text.split("|")
        if len(values) == len(names):
            found.append(Line(number, text, dict(zip(names, values, strict=True))))
    return [line for line in found if line.fields["issueSymbolIdentifier"] == symbol]
