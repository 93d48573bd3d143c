"""What each fault does to a page or an answer; all else about it is as it should be."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta

from . import restate
from .answer import Answer, html_answer, json_answer, nothing
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
    if fault.kind is Kind.TOO_MANY:
        return html_answer(429, {"Retry-After": fault.retry_after} if fault.retry_after else {})
    if fault.kind is Kind.STATUS:
        return html_answer(fault.status)
    if fault.kind is Kind.HTML:
        return html_answer(200)
    if fault.kind is Kind.OBJECT:
        return json_answer({"message": "The request could not be answered"})
    if fault.kind is Kind.EMPTY:
        return nothing({"Record-Total": "0"}, as_list=False)
    return None


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
    if fault.kind is Kind.BOM:
        return replace(answer, body=BOM + answer.body)
    if fault.kind is Kind.CRLF:
        return replace(answer, body=answer.body.replace(b"\n", b"\r\n"))
    if fault.kind is Kind.NO_TOTAL:
        kept = {name: value for name, value in answer.headers.items() if name != "Record-Total"}
        return replace(answer, headers=kept)
    return answer


def _week_before(line: str) -> str:
    row = to_row(line)
    monday = str(date.fromisoformat(value_of(row, "weekStartDate") or "") - timedelta(days=7))
    return to_line(with_values(row, weekStartDate=monday, summaryStartDate=monday))
