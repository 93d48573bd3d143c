"""Read numbers and dates as FINRA and spreadsheets write them, exactly and without floats."""

from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from otcpipe.text.numbers import respell

_DATE = r"^[12]\d{3}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])$"
_MIDNIGHT = r"^(\d{4}-\d{2}-\d{2})[T ]00:00(:00(\.0{1,9})?)?Z?$"


@dataclass(frozen=True)
class Number:
    """A number of 0 or more, with at most `digits` digits before the point and the decimals of its Arrow type."""

    digits: int
    kind: pa.DataType

    @property
    def reason(self) -> str:
        """Why a text is rejected, to follow the column's name."""
        if not self._decimals:
            return f"is not a whole number of at most {self.digits} digits"
        return f"is not a number of at most {self.digits} digits and {self._decimals} decimals"

    def read(self, texts: pa.Array) -> tuple[pa.Array, pa.Array]:
        """Return (values, null where the text does not fit; whether it fits, null for a null)."""
        point = rf"(\.\d{{1,{self._decimals}}})?" if self._decimals else ""
        pattern = rf"^\d{{1,{self.digits}}}{point}$"
        fits = pc.match_substring_regex(texts, pattern)
        if pc.any(pc.invert(fits)).as_py():
            odd = pc.unique(texts.filter(pc.invert(fits)))
            plain = pa.array([respell(text, self.digits, self._decimals) for text in odd.to_pylist()], pa.string())
            texts = pc.coalesce(pc.take(plain, pc.index_in(texts, odd)), texts)
            fits = pc.match_substring_regex(texts, pattern)
        return pc.cast(pc.if_else(fits, texts, pa.scalar(None, pa.string())), self.kind), fits

    @property
    def _decimals(self) -> int:
        return self.kind.scale if pa.types.is_decimal(self.kind) else 0


@dataclass(frozen=True)
class Day:
    """A date such as 2025-12-15, with or without a time, which must be midnight."""

    reason = "is not a date such as 2025-12-15"

    def read(self, texts: pa.Array) -> tuple[pa.Array, pa.Array]:
        """Return (days, null where the text does not fit; whether it fits, null for a null)."""
        texts = without_midnight(texts)
        days = pc.strptime(texts, format="%Y-%m-%d", unit="s", error_is_null=True)
        is_real = pc.equal(pc.strftime(days, format="%Y-%m-%d"), texts)  # 30 February is not
        fits = pc.and_(pc.match_substring_regex(texts, _DATE), pc.fill_null(is_real, False))
        return pc.cast(pc.if_else(fits, days, None), pa.date32()), fits


def without_midnight(texts: pa.Array) -> pa.Array:
    """Return the texts without a time of midnight after a date; other texts as they are."""
    return pc.replace_substring_regex(texts, _MIDNIGHT, r"\1")
