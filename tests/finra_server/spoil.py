"""What each fault does to a page or an answer; all else about it is as it should be."""

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta

from . import restate
from .answer import TEXT, Answer, error_answer, html_answer, json_answer, nothing
from .dataset import Dataset, Key, Partition
from .faults import Fault, Kind
from .page import Page
from .query import Query
from .rows import to_line, to_row, value_of, with_values

MOVES: dict[Kind, Callable[..., None]] = {
    Kind.GROWN: Dataset.grow,
    Kind.RESTATED: Dataset.restate,
    Kind.WITHDRAWN: Dataset.withdraw,
}
BOM = "\N{BYTE ORDER MARK}".encode()


def instead(fault: Fault) -> Answer | None:
    """The answer that comes in place of the right one, if the fault is of that sort."""
    pause = {"Retry-After": fault.retry_after} if fault.retry_after else {}
    answers: dict[Kind, Callable[[], Answer]] = {
        Kind.TOO_MANY: lambda: html_answer(429, pause),
        Kind.STATUS: lambda: html_answer(fault.status, pause),
        Kind.ERROR: lambda: error_answer(fault.status, "Access is refused", "a-request-id"),
        Kind.BOMB: lambda: Answer(200, b"\n" * fault.size, {"Content-Type": TEXT, "Record-Total": "5"}).packed(),
        Kind.HTML: lambda: html_answer(200),
        Kind.OBJECT: lambda: json_answer({"message": "The request could not be answered"}),
        Kind.EMPTY: lambda: nothing({"Record-Total": "0"}, as_list=False),
    }
    return answers[fault.kind]() if fault.kind in answers else None


def move(dataset: Dataset, key: Key, fault: Fault) -> None:
    """Really changes the partition, if the fault is of that sort."""
    if fault.kind in MOVES:
        MOVES[fault.kind](dataset, key, seed=fault.seed)


def stale(dataset: Dataset, key: Key, fault: Fault) -> Partition:
    """The state before the present one; where there was none, one that differs in a firm row."""
    known = dataset.before(key)
    return known or Partition(restate.restated(dataset.partition(key).lines, fault.seed))


def other_query(query: Query, fault: Fault) -> Query:
    if fault.kind is Kind.REPEATED_PAGE:
        return replace(query, offset=max(0, query.offset - query.limit))
    return query


def spoiled_page(page: Page, fault: Fault) -> Page:
    if fault.kind is Kind.SHORT_PAGE:
        return replace(page, lines=page.lines[: max(1, len(page.lines) // 2)])
    if fault.kind is Kind.FOREIGN_ROW:
        return replace(page, lines=[*page.lines[:-1], _week_before(page.lines[-1])])
    if fault.kind is Kind.ADDED_COLUMN:
        return replace(page, fields=(*page.fields[:3], "newColumn", *page.fields[3:]))
    if fault.kind is Kind.MISSING_COLUMN:
        return replace(page, fields=tuple(name for name in page.fields if name != fault.column))
    return page


def spoiled_answer(answer: Answer, fault: Fault) -> Answer:
    if fault.kind is Kind.NO_TOTAL:
        kept = {name: value for name, value in answer.headers.items() if name != "Record-Total"}
        return replace(answer, headers=kept)
    if fault.kind is Kind.WRONG_TOTAL:
        return replace(answer, headers={**answer.headers, "Record-Total": fault.total})
    return replace(answer, body=_spoiled_body(answer.body, fault))


def _spoiled_body(body: bytes, fault: Fault) -> bytes:
    if fault.kind is Kind.BOM:
        return BOM + body
    if fault.kind is Kind.CRLF:
        return body.replace(b"\n", b"\r\n")
    if fault.kind is Kind.TRUNCATED and not fault.in_gzip:
        return body[: fault.keep]
    if fault.kind is Kind.ODD_NUMBER:
        written = b'"totalNotionalSum":' + fault.number.encode()
        return re.sub(rb'"totalNotionalSum":[^,}]*', written, body, count=1)
    return body


def _week_before(line: str) -> str:
    row = to_row(line)
    monday = str(date.fromisoformat(value_of(row, "weekStartDate") or "") - timedelta(days=7))
    return to_line(with_values(row, weekStartDate=monday, summaryStartDate=monday))
