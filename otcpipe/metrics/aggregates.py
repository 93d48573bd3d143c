"""A week's records summed by symbol and by venue, for its metrics. They exist only during a computation."""

from datetime import date

from otcpipe.metrics.parallel import WeekComputation
from otcpipe.storage.postgres import Row, Transaction

PARTS = ("T2", "T1", "OTCE", None)  # the tiers, slowest first; None: symbols with several records of a venue or tier


def build(computation: WeekComputation) -> None:
    """Store the week's aggregates, and commit them, replacing any left by a computation that crashed."""
    [multi_record] = computation.in_parallel(_clear, [computation.week])
    computation.in_parallel(
        lambda transaction, part: _build_part(transaction, computation.week, multi_record, part), PARTS
    )


def build_in(transaction: Transaction, week: date) -> None:
    """Store the week's aggregates in a transaction that is rolled back later: no other session sees them."""
    multi_record = _clear(transaction, week)
    for part in PARTS:
        _build_part(transaction, week, multi_record, part)


def delete(transaction: Transaction, week: date) -> None:
    """Delete the week's aggregates."""
    transaction.run("delete_symbol_sums", week=week)
    transaction.run("delete_venue_sums", week=week)


def _clear(transaction: Transaction, week: date) -> list[str]:
    """Delete the week's aggregates; return its multi-record symbols, which are summed in one part of their own."""
    delete(transaction, week)
    transaction.rows("plan_for_a_week")
    transaction.rows("plan_in_order")
    return [row["symbol"] for row in transaction.rows("multi_record_symbols", week=week)]


def _build_part(transaction: Transaction, week: date, multi_record: list[str], tier: str | None) -> None:
    """Sum a tier without the multi-record symbols, or only those if no tier is given."""
    part = "tier" if tier else "multi_record"
    values: Row = {"week": week, "multi_record": multi_record} | ({"tier": tier} if tier else {})
    transaction.rows("plan_for_a_week")
    transaction.rows("plan_in_order")
    transaction.run(f"sum_up_symbols_of_{part}", **values)
    transaction.rows("plan_by_groups")
    transaction.run(f"sum_up_venues_of_{part}", **values)
