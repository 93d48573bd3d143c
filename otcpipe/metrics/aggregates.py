"""A week's records summed up by symbol and by venue: what its metrics build on, there while a runner has the week."""

from datetime import date

from otcpipe.metrics.parallel import WeekComputation
from otcpipe.storage.postgres import Row, Transaction

PARTS = ("T2", "T1", "OTCE", None)  # of a week: its tiers, the longest first, and symbols that stand on several


def build(runner: WeekComputation) -> None:
    """Put the week's sums where its metrics find them, whoever left some there."""
    [multi_tier] = runner.in_parallel(_clear, [runner.week])
    runner.in_parallel(lambda transaction, part: _put_part(transaction, runner.week, multi_tier, part), PARTS)


def build_in(transaction: Transaction, week: date) -> None:
    """The same in a transaction that is given up later: nobody else sees it."""
    multi_tier = _clear(transaction, week)
    for part in PARTS:
        _put_part(transaction, week, multi_tier, part)


def delete(transaction: Transaction, week: date) -> None:
    transaction.run("delete_symbol_sums", week=week)
    transaction.run("delete_venue_sums", week=week)


def _clear(transaction: Transaction, week: date) -> list[str]:
    """Away with what is there; the week's symbols of several records."""
    delete(transaction, week)
    transaction.rows("plan_for_a_week")
    transaction.rows("plan_in_order")
    return [row["symbol"] for row in transaction.rows("multi_record_symbols", week=week)]


def _put_part(transaction: Transaction, week: date, multi_tier: list[str], tier: str | None) -> None:
    """A tier without its symbols of several records; without a tier, those."""
    of = "tier" if tier else "multi_record"
    values: Row = {"week": week, "multi_record": multi_tier} | ({"tier": tier} if tier else {})
    transaction.rows("plan_for_a_week")
    transaction.rows("plan_in_order")
    transaction.run(f"sum_up_symbols_of_{of}", **values)
    transaction.rows("plan_by_groups")
    transaction.run(f"sum_up_venues_of_{of}", **values)
