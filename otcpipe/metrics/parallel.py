"""Who computes a week, side by side, and only while its own transaction lasts, which has the lock."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date

from otcpipe.errors import TooSoon
from otcpipe.storage.postgres import Database, One, Result, Transaction

LOCKS = 7_001  # the advisory locks' first number; the second tells the week
PARALLEL_LOCKS = LOCKS + 1
CUT_OFF_SECONDS = 2


@dataclass(frozen=True)
class WeekComputation:
    """A week's runner, by the number of its transaction."""

    database: Database
    week: date
    number: str

    def in_parallel(self, work: Callable[[Transaction, One], Result], over: Iterable[One]) -> list[Result]:
        """As the warehouse does it; raises TooSoon when the runner's transaction was cut off."""

        def fenced(transaction: Transaction, one: One) -> Result:
            transaction.rows("enter_lane", week=self.week, space=PARALLEL_LOCKS)
            if not transaction.rows("is_running", transaction_id=self.number)[0]["is_running"]:
                raise TooSoon(f"The runner of the week ending {self.week} was cut off.", CUT_OFF_SECONDS)
            return work(transaction, one)

        return self.database.in_parallel(fenced, over)


def begin(database: Database, transaction: Transaction, week: date) -> WeekComputation:
    """The runner whose transaction has the lock, as soon as nothing of one that was cut off goes on."""
    transaction.run("wait_long")
    with database.transaction() as first:
        first.rows("wait_for_lanes", week=week, space=PARALLEL_LOCKS)
    return WeekComputation(database, week, transaction.rows("transaction_id")[0]["transaction_id"])
