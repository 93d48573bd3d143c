"""Normalize: rows of text to typed records, totals and rejects; every row becomes exactly one of the three."""

from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from otcpipe.datasets import TIERS, WEEKLY
from otcpipe.records import Partition
from otcpipe.text import identities
from otcpipe.text.columns import LINE
from otcpipe.text.limits import CRD_DIGITS, MAX_CHARACTERS, NOTIONAL_DIGITS, SHARE_DIGITS, TRADE_DIGITS
from otcpipe.text.rows import Rows, differs, distinct_texts
from otcpipe.text.tables import RECORD, Normalized, decode_dictionaries
from otcpipe.text.values import Day, Number, without_midnight
from otcpipe.weeks import published_on as planned_on

SHARES, NOTIONAL = Number(SHARE_DIGITS, pa.decimal128(20, 6)), Number(NOTIONAL_DIGITS, pa.decimal128(24, 6))
TRADES, CRD = Number(TRADE_DIGITS, pa.int64()), Number(CRD_DIGITS, pa.int32())
DAY = Day()
CONTROLS = r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\x{80}-\x{9f}\x{2028}\x{2029}]"


def rows(table: pa.Table, partition: Partition) -> Normalized:
    """Split a parsed table (`parse.rows`) into records and totals (schema `RECORD`) and rejects (schema `REJECT`)."""
    lines = Rows(table)
    typed = _from_file(lines, partition) if is_website_file(table) else _from_api(lines, partition)
    _check_texts(lines, is_api=not is_website_file(table))
    _check_repeats(lines, typed)
    good = pc.is_null(lines.reason)
    # decoded, since a filtered dictionary would keep values that only rejects have
    kept = typed if pc.all(good).as_py() else decode_dictionaries(typed.filter(good))
    return Normalized(kept, lines.rejects(pc.invert(good)))


def published_on(rows: Normalized, partition: Partition) -> date:
    """Return the first publication of a partition: the date of most of a capture's records, the earliest of several.

    Without records that name a day after their week, as in files of the website, it is the day of FINRA's calendar.
    """
    days = rows.records["published_on"]
    counts = pc.value_counts(days.filter(pc.greater(days, pa.scalar(partition.week_ending))).combine_chunks())
    if not len(counts):
        return planned_on(partition.week_ending, partition.tier)
    values, times = counts.flatten()
    found: date = pc.min(values.filter(pc.equal(times, pc.max(times)))).as_py()
    return found


def late(records: pa.Table, day: date) -> pa.Table:
    """Return the records that name another day of their publication or of their update than `day`."""
    published, updated = (records[name] for name in ("published_on", "updated_on"))
    return records.filter(
        pc.or_(pc.not_equal(pc.fill_null(published, day), day), pc.not_equal(pc.fill_null(updated, date.min), day))
    )


def is_website_file(table: pa.Table) -> bool:
    """Return whether parsed rows are from the website's file, which has fewer columns than the API."""
    return "weekStartDate" not in table.column_names


def _from_api(lines: Rows, partition: Partition) -> pa.Table:
    """Convert rows of the API, which name their partition and summary type."""
    lines.reject(
        differs(lines.text("weekStartDate"), str(partition.week_start), read=without_midnight), "of another week"
    )
    lines.reject(differs(lines.text("tierIdentifier"), partition.tier), "of another tier")
    summary = lines.text("summaryTypeCode")
    lines.reject(differs(summary, *WEEKLY.venue_types), "summaryTypeCode is unknown")
    return _typed(
        lines,
        summary,
        product_type=lines.text("productTypeCode"),
        firm_crd=lines.typed("firmCRDNumber", CRD),
        notional=lines.typed("totalNotionalSum", NOTIONAL),
        published_on=lines.typed("initialPublishedDate", DAY, is_required=True),
    )


def _from_file(lines: Rows, partition: Partition) -> pa.Table:
    """Convert rows of the website's file: ATS firm rows of one tier, without a week.

    A row without MPID and name is volume of an ATS that FINRA does not name; with a name it is a non-ATS firm's.
    """
    lines.reject(differs(lines.text("tierDescription"), partition.tier, TIERS[partition.tier]), "of another tier")
    is_firm = pc.and_(pc.is_null(lines.text("MPID")), pc.is_valid(lines.text("marketParticipantName")))
    lines.reject(is_firm, "a firm without MPID: non-ATS rows come from the API only")
    count = lines.table.num_rows
    return _typed(
        lines,
        pa.repeat("ATS_W_SMBL_FIRM", count).dictionary_encode(),
        product_type=pa.nulls(count, pa.string()),
        firm_crd=pa.nulls(count, pa.int32()),
        notional=pa.nulls(count, pa.decimal128(24, 6)),
        published_on=pa.nulls(count, pa.date32()),
    )


def _typed(lines: Rows, summary: pa.Array, **columns: pa.Array) -> pa.Table:
    venues = WEEKLY.venue_types
    texts, expand = distinct_texts(summary)
    columns |= {
        "line": lines.table[LINE],
        "summary_type": summary,
        "venue_type": expand(pc.take(pa.array([*venues.values()]), pc.index_in(texts, pa.array([*venues])))),
        "symbol": lines.text("issueSymbolIdentifier"),
        "issue_name": lines.text("issueName"),
        "mpid": lines.text("MPID"),
        "venue_name": lines.text("marketParticipantName"),
        "share_volume": lines.typed("totalWeeklyShareQuantity", SHARES, is_required=True),
        "trade_count": lines.typed("totalWeeklyTradeCount", TRADES, is_required=True),
        "updated_on": lines.typed("lastUpdateDate", DAY, is_required=True),
    }
    return pa.table({name: columns[name] for name in RECORD.names})


def _check_texts(lines: Rows, *, is_api: bool) -> None:
    """Reject texts that tables or indexes cannot hold; from a file, which is unproven, all control characters too."""
    for name, longest in MAX_CHARACTERS.items():
        texts, expand = distinct_texts(lines.text(name))
        if (pc.max(pc.binary_length(texts)).as_py() or 0) > longest:
            too_long = pc.greater(pc.utf8_length(texts), longest)
            lines.reject(expand(too_long), f"{name} is longer than {longest} characters")
        lines.reject(
            expand(pc.match_substring_regex(texts, r"\x00" if is_api else CONTROLS)),
            f"{name} has a control character",
        )


def _check_repeats(lines: Rows, typed: pa.Table) -> None:
    """Reject each good row that repeats the identity of an earlier line."""
    good = np.flatnonzero(pc.is_null(lines.reason))
    numbers = identities.number_rows(typed.select(WEEKLY.identity_names))[good]
    if identities.are_distinct(numbers):
        return
    _, first = np.unique(numbers, return_index=True)
    is_repeat = np.zeros(typed.num_rows, dtype=bool)
    is_repeat[np.delete(good, first)] = True
    lines.reject(pa.array(is_repeat), "the same row, by its identity, stands on an earlier line")
