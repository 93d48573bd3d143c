"""Rows of text to typed records, totals and rejects; every row becomes just one of the three."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from otcpipe.records import FIRM_ROWS, LINE, REASON, RECORD, REJECT, TEXT, TIERS, Normalized, Partition

VERSION = 1
QUANTITY = r"^\d{1,14}(\.\d{1,6})?$"  # numeric(20,6)
NOTIONAL = r"^\d{1,18}(\.\d{1,6})?$"  # numeric(24,6)
COUNT = r"^\d{1,18}$"
CRD = r"^\d{1,9}$"
DAY = r"^[12]\d{3}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])$"
TOTAL_ROWS = {
    f"{feed}_W_{cut}": venue
    for feed, venue in (("ATS", "ATS"), ("OTC", "NON_ATS"))
    for cut in ("SMBL", "FIRM", "VOL_STATS")
}
IDENTITY = ["summary_type", "symbol", "issue_name", "product_type", "mpid", "firm_crd"]  # FINRA.md fact 10


class _Rows:
    """The rows on their way: typed columns, and for each row the first reason against it."""

    def __init__(self, table: pa.Table) -> None:
        self.table = table
        self.reason = table[REASON].combine_chunks()

    def text(self, name: str) -> pa.Array:
        if name not in self.table.column_names:
            return pa.nulls(self.table.num_rows, pa.string())
        return self.table[name].combine_chunks()

    def reject(self, wrong: pa.Array, reason: str) -> None:
        if not pc.any(wrong).as_py():
            return
        blamed = pc.if_else(pc.fill_null(wrong, False), pa.scalar(reason), pa.scalar(None, pa.string()))
        self.reason = pc.coalesce(self.reason, blamed)

    def typed(self, name: str, pattern: str, kind: pa.DataType, *, needed: bool = False) -> pa.Array:
        """The column cast; what does not fit is set aside, since one bad value fails a whole cast."""
        text = self.text(name)
        fits = pc.match_substring_regex(text, pattern)
        self.reject(pc.invert(fits), f"{name} does not read as {kind}")
        if needed:
            self.reject(pc.is_null(text), f"{name} is missing")
        fitting = pc.if_else(fits, text, pa.scalar(None, pa.string()))
        return self.days(name, fitting) if kind == pa.date32() else pc.cast(fitting, kind)

    def days(self, name: str, text: pa.Array) -> pa.Array:
        """A column has few days in it: each is read once, and 30 February is found out."""
        encoded = text.dictionary_encode()
        words = encoded.dictionary
        dates = pc.strptime(words, format="%Y-%m-%d", unit="s", error_is_null=True)
        same = pc.equal(pc.strftime(dates, format="%Y-%m-%d"), words)
        days = pc.take(pc.cast(pc.if_else(same, dates, None), pa.date32()), encoded.indices)
        self.reject(pc.and_(pc.is_null(days), pc.is_valid(text)), f"{name} is not a day")
        return days


def rows(table: pa.Table, partition: Partition) -> Normalized:
    """Sort a parsed table (`parse.rows`) into records and totals (of `RECORD`) and rejects (of `REJECT`)."""
    lines = _Rows(table)
    typed = _download(lines, partition) if is_download(table) else _answer(lines, partition)
    _check_venues(lines, typed)
    _check_repeats(lines, typed)
    good = pc.is_null(lines.reason)
    return Normalized(kept=typed.filter(good), rejects=_rejects(lines, pc.invert(good)))


def is_download(table: pa.Table) -> bool:
    """Whether parsed rows are of the website's file, which says less than the API."""
    return "weekStartDate" not in table.column_names


def _answer(lines: _Rows, partition: Partition) -> pa.Table:
    """Rows of the API, which name their partition and what they sum up."""
    lines.reject(_differs(lines.text("weekStartDate"), str(partition.week_start)), "of another week")
    lines.reject(_differs(lines.text("tierIdentifier"), partition.tier), "of another tier")
    summary = lines.text("summaryTypeCode")
    lines.reject(pc.invert(pc.is_in(summary, pa.array([*FIRM_ROWS, *TOTAL_ROWS]))), "summaryTypeCode is unknown")
    return _typed(
        lines,
        summary,
        product_type=lines.text("productTypeCode"),
        firm_crd=lines.typed("firmCRDNumber", CRD, pa.int32()),
        notional=lines.typed("totalNotionalSum", NOTIONAL, pa.decimal128(24, 6)),
        published_on=lines.typed("initialPublishedDate", DAY, pa.date32(), needed=True),
    )


def _download(lines: _Rows, partition: Partition) -> pa.Table:
    """Rows of the website's file: ATS firm rows of one tier, with no week."""
    lines.reject(_differs(lines.text("tierDescription"), TIERS[partition.tier]), "of another tier")
    lines.reject(pc.is_null(lines.text("MPID")), "MPID is missing, so this is no ATS row")
    count = lines.table.num_rows
    return _typed(
        lines,
        pa.repeat("ATS_W_SMBL_FIRM", count),
        product_type=pa.nulls(count, pa.string()),
        firm_crd=pa.nulls(count, pa.int32()),
        notional=pa.nulls(count, pa.decimal128(24, 6)),
        published_on=pa.nulls(count, pa.date32()),
    )


def _typed(lines: _Rows, summary: pa.Array, **columns: pa.Array) -> pa.Table:
    venues = FIRM_ROWS | TOTAL_ROWS
    columns |= {
        "line": lines.table[LINE],
        "summary_type": summary,
        "venue_type": pc.take(pa.array(venues.values()), pc.index_in(summary, pa.array(venues.keys()))),
        "symbol": lines.text("issueSymbolIdentifier"),
        "issue_name": lines.text("issueName"),
        "mpid": lines.text("MPID"),
        "venue_name": lines.text("marketParticipantName"),
        "share_volume": lines.typed("totalWeeklyShareQuantity", QUANTITY, pa.decimal128(20, 6), needed=True),
        "trade_count": lines.typed("totalWeeklyTradeCount", COUNT, pa.int64(), needed=True),
        "updated_on": lines.typed("lastUpdateDate", DAY, pa.date32(), needed=True),
    }
    nullable = [field.with_nullable(nullable=True) for field in RECORD]  # rejects may have holes anywhere
    return pa.table([columns[field.name] for field in RECORD], schema=pa.schema(nullable))


def _check_venues(lines: _Rows, typed: pa.Table) -> None:
    """A firm row has a venue: an ATS its MPID, a non-ATS firm its number or at least its name."""
    ats = pc.equal(typed["summary_type"], "ATS_W_SMBL_FIRM")
    other = pc.equal(typed["summary_type"], "OTC_W_SMBL_FIRM")
    nameless = pc.and_(pc.is_null(typed["firm_crd"]), pc.is_null(typed["venue_name"]))
    lines.reject(pc.and_(ats, pc.is_null(typed["mpid"])).combine_chunks(), "MPID is missing")
    lines.reject(pc.and_(other, nameless).combine_chunks(), "the firm is missing")


def _check_repeats(lines: _Rows, typed: pa.Table) -> None:
    """Two good rows of one identity cannot both stand: the later line is set aside."""
    good = np.flatnonzero(pc.is_null(lines.reason))
    _, first = np.unique(_numbered(typed.select(IDENTITY).take(good)), return_index=True)
    is_repeat = np.zeros(typed.num_rows, dtype=bool)
    is_repeat[np.delete(good, first)] = True
    lines.reject(pa.array(is_repeat), "the same row, by its identity, stands on an earlier line")


def _numbered(table: pa.Table) -> np.ndarray:
    """A number for each row, the same for equal rows; a null equals a null."""
    numbers, count = np.zeros(table.num_rows, dtype=np.int64), 1
    for column in table.itercolumns():
        encoded = column.combine_chunks().dictionary_encode(null_encoding="encode")
        if count * len(encoded.dictionary) > np.iinfo(np.int64).max:
            known, numbers = np.unique(numbers, return_inverse=True)
            count = len(known)
        numbers = numbers * len(encoded.dictionary) + encoded.indices.to_numpy()
        count *= len(encoded.dictionary)
    return numbers


def _rejects(lines: _Rows, bad: pa.Array) -> pa.Table:
    table = lines.table.append_column("reason", lines.reason).filter(bad)
    fields = [pc.fill_null(table[name], "") for name in lines.table.column_names if name not in (LINE, REASON, TEXT)]
    text = pc.coalesce(table[TEXT], pc.binary_join_element_wise(*fields, "|"))
    return pa.table([table[LINE], table["reason"], text], schema=REJECT)


def _differs(column: pa.Array, expected: str) -> pa.Array:
    return pc.fill_null(pc.not_equal(column, expected), True)
