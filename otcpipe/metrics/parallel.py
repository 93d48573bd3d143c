"""Run parts of a week's computation in parallel transactions, fenced by the one that holds the week's lock."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date

from otcpipe.errors import TooSoon
from otcpipe.storage.postgres import Database, One, Result, Transaction

LOCKS = 7_001  # the first number of an advisory lock; the second is the week
PARALLEL_LOCKS = LOCKS + 1
CUT_OFF_SECONDS = 2


@dataclass(frozen=True)
class WeekComputation:
    """The computation of one week. `transaction_id` is that of the transaction that holds the week's lock."""

    database: Database
    week: date
    transaction_id: str

    def in_parallel(self, work: Callable[[Transaction, One], Result], over: Iterable[One]) -> list[Result]:
        """Call `work` for each value, each in a transaction of its own, and return the results in order.

        Raises TooSoon if the transaction that holds the lock has ended: another worker may have the week.
        """

        def fenced(transaction: Transaction, one: One) -> Result:
            transaction.rows("enter_lane", week=self.week, space=PARALLEL_LOCKS)
            if not transaction.rows("is_running", transaction_id=self.transaction_id)[0]["is_running"]:
                raise TooSoon(
                    f"The computation of the week ending {self.week} was cut off; it is repeated.", CUT_OFF_SECONDS
                )
            return work(transaction, one)

        return self.database.in_parallel(fenced, over)


def begin(database: Database, transaction: Transaction, week: date) -> WeekComputation:
    """Return the computation of a week whose lock the transaction holds.

    Waits until no parallel transaction of an earlier computation, which was cut off, is still running.
    """
    transaction.run("wait_long")
    with database.transaction() as first:
        first.rows("wait_for_lanes", week=week, space=PARALLEL_LOCKS)
    return WeekComputation(database, week, transaction.rows("transaction_id")[0]["transaction_id"])
