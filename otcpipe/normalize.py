"""Rows of text to typed records, totals and rejects; every row becomes just one of the three."""

from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from otcpipe.records import FIRM_ROWS, LINE, REASON, RECORD, REJECT, TEXT, TIERS, WORDS, Normalized, Partition, plain

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


Spread = Callable[[pa.Array], pa.Array]


def _words(column: pa.Array) -> tuple[pa.Array, Spread]:
    """The words of a column, and what spreads values made of them over its rows; null where there is no word."""
    if pa.types.is_dictionary(column.type):
        return column.dictionary, lambda values: pc.take(values, column.indices)
    return column, lambda values: pc.if_else(pc.is_valid(column), values, None)


class _Rows:
    """The rows on their way: typed columns, and for each row the first reason against it."""

    def __init__(self, table: pa.Table) -> None:
        self.table = table
        self.reason = table[REASON].combine_chunks()

    def text(self, name: str) -> pa.Array:
        """The column as it stands; those of few words as dictionaries."""
        if name not in self.table.column_names:
            return pa.nulls(self.table.num_rows, pa.string())
        column = self.table[name].combine_chunks()
        is_plain = name in WORDS and not pa.types.is_dictionary(column.type)
        return column.dictionary_encode() if is_plain else column

    def reject(self, wrong: pa.Array, reason: str) -> None:
        if not pc.any(wrong).as_py():
            return
        blamed = pc.if_else(pc.fill_null(wrong, False), pa.scalar(reason), pa.scalar(None, pa.string()))
        self.reason = pc.coalesce(self.reason, blamed)

    def typed(self, name: str, pattern: str, kind: pa.DataType, *, needed: bool = False) -> pa.Array:
        """The column cast; what does not fit is set aside, since one bad value fails a whole cast."""
        text = self.text(name)
        words, spread = _words(text)
        fits = pc.match_substring_regex(words, pattern)
        values = _cast(pc.if_else(fits, words, pa.scalar(None, pa.string())), kind)
        self.reject(spread(pc.invert(fits)), f"{name} does not read as {kind}")
        if needed:
            self.reject(pc.is_null(text), f"{name} is missing")
        if kind == pa.date32():
            self.reject(spread(pc.and_(fits, pc.is_null(values))), f"{name} is not a day")
        return spread(values)


def _cast(words: pa.Array, kind: pa.DataType) -> pa.Array:
    """Words that fit as values; 30 February does fit, and gives null."""
    if kind != pa.date32():
        return pc.cast(words, kind)
    days = pc.strptime(words, format="%Y-%m-%d", unit="s", error_is_null=True)
    same = pc.equal(pc.strftime(days, format="%Y-%m-%d"), words)
    return pc.cast(pc.if_else(same, days, None), pa.date32())


def rows(table: pa.Table, partition: Partition) -> Normalized:
    """Sort a parsed table (`parse.rows`) into records and totals (of `RECORD`) and rejects (of `REJECT`)."""
    lines = _Rows(table)
    typed = _download(lines, partition) if is_download(table) else _answer(lines, partition)
    _check_venues(lines, typed)
    _check_repeats(lines, typed)
    good = pc.is_null(lines.reason)
    kept = typed if pc.all(good).as_py() else plain(typed.filter(good))  # no word that only a reject has
    return Normalized(kept, _rejects(lines, pc.invert(good)))


def is_download(table: pa.Table) -> bool:
    """Whether parsed rows are of the website's file, which says less than the API."""
    return "weekStartDate" not in table.column_names


def _answer(lines: _Rows, partition: Partition) -> pa.Table:
    """Rows of the API, which name their partition and what they sum up."""
    lines.reject(_differs(lines.text("weekStartDate"), str(partition.week_start)), "of another week")
    lines.reject(_differs(lines.text("tierIdentifier"), partition.tier), "of another tier")
    summary = lines.text("summaryTypeCode")
    lines.reject(_differs(summary, *FIRM_ROWS, *TOTAL_ROWS), "summaryTypeCode is unknown")
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
        pa.repeat("ATS_W_SMBL_FIRM", count).dictionary_encode(),
        product_type=pa.nulls(count, pa.string()),
        firm_crd=pa.nulls(count, pa.int32()),
        notional=pa.nulls(count, pa.decimal128(24, 6)),
        published_on=pa.nulls(count, pa.date32()),
    )


def _typed(lines: _Rows, summary: pa.Array, **columns: pa.Array) -> pa.Table:
    venues = FIRM_ROWS | TOTAL_ROWS
    words, spread = _words(summary)
    columns |= {
        "line": lines.table[LINE],
        "summary_type": summary,
        "venue_type": spread(pc.take(pa.array(venues.values()), pc.index_in(words, pa.array(venues.keys())))),
        "symbol": lines.text("issueSymbolIdentifier"),
        "issue_name": lines.text("issueName"),
        "mpid": lines.text("MPID"),
        "venue_name": lines.text("marketParticipantName"),
        "share_volume": lines.typed("totalWeeklyShareQuantity", QUANTITY, pa.decimal128(20, 6), needed=True),
        "trade_count": lines.typed("totalWeeklyTradeCount", COUNT, pa.int64(), needed=True),
        "updated_on": lines.typed("lastUpdateDate", DAY, pa.date32(), needed=True),
    }
    return pa.table({name: columns[name] for name in RECORD.names})


def _check_venues(lines: _Rows, typed: pa.Table) -> None:
    """A firm row has a venue: an ATS its MPID, a non-ATS firm its number or at least its name."""
    ats, other = (pc.equal(typed["summary_type"], name) for name in FIRM_ROWS)
    nameless = pc.and_(pc.is_null(typed["firm_crd"]), pc.is_null(typed["venue_name"]))
    lines.reject(pc.and_(ats, pc.is_null(typed["mpid"])).combine_chunks(), "MPID is missing")
    lines.reject(pc.and_(other, nameless).combine_chunks(), "the firm is missing")


def _check_repeats(lines: _Rows, typed: pa.Table) -> None:
    """Two good rows of one identity cannot both stand: the later line is set aside."""
    good = np.flatnonzero(pc.is_null(lines.reason))
    numbers = _numbered(typed.select(IDENTITY))[good]
    ordered = np.sort(numbers)  # quicker than to find the first of each, which is seldom needed
    if (ordered[1:] != ordered[:-1]).all():
        return
    _, first = np.unique(numbers, return_index=True)
    is_repeat = np.zeros(typed.num_rows, dtype=bool)
    is_repeat[np.delete(good, first)] = True
    lines.reject(pa.array(is_repeat), "the same row, by its identity, stands on an earlier line")


def _numbered(table: pa.Table) -> np.ndarray:
    """A number for each row, the same for equal rows; a null equals a null."""
    numbers, count = np.zeros(table.num_rows, dtype=np.int64), 1
    for column in table.itercolumns():
        encoded = column.combine_chunks().dictionary_encode()
        words = len(encoded.dictionary)
        if count * (words + 1) > np.iinfo(np.int64).max:
            known, numbers = np.unique(numbers, return_inverse=True)
            count = len(known)
        numbers = numbers * (words + 1) + pc.fill_null(encoded.indices, words).to_numpy()
        count *= words + 1
    return numbers


def _rejects(lines: _Rows, bad: pa.Array) -> pa.Table:
    table = plain(lines.table.append_column("reason", lines.reason).filter(bad))
    fields = [pc.fill_null(table[name], "") for name in lines.table.column_names if name not in (LINE, REASON, TEXT)]
    text = pc.coalesce(table[TEXT], pc.binary_join_element_wise(*fields, "|"))
    return pa.table([table[LINE], table["reason"], text], schema=REJECT)


def _differs(column: pa.Array, *expected: str) -> pa.Array:
    words, spread = _words(column)
    return pc.fill_null(spread(pc.invert(pc.is_in(words, pa.array(expected)))), True)
