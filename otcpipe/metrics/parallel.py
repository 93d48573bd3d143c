"""Who computes a week, side by side, and only while its own transaction lasts, which has the lock."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date

from otcpipe.errors import TooSoon
from otcpipe.storage.postgres import One, Result, Transaction, Warehouse

LOCKS = 7_001  # the advisory locks' first number; the second tells the week
LANE_LOCKS = LOCKS + 1
CUT_OFF_SECONDS = 2


@dataclass(frozen=True)
class Runner:
    """A week's runner, by the number of its transaction."""

    warehouse: Warehouse
    week: date
    number: str

    def side_by_side(self, work: Callable[[Transaction, One], Result], over: Iterable[One]) -> list[Result]:
        """As the warehouse does it; raises TooSoon when the runner's transaction was cut off."""

        def fenced(transaction: Transaction, one: One) -> Result:
            transaction.rows("enter_lane", week=self.week, space=LANE_LOCKS)
            if not transaction.rows("is_running", number=self.number)[0]["is_running"]:
                raise TooSoon(f"The runner of the week ending {self.week} was cut off.", CUT_OFF_SECONDS)
            return work(transaction, one)

        return self.warehouse.side_by_side(fenced, over)


def take_over(warehouse: Warehouse, transaction: Transaction, week: date) -> Runner:
    """The runner whose transaction has the lock, as soon as nothing of one that was cut off goes on."""
    transaction.run("wait_long")
    with warehouse.transaction() as first:
        first.rows("wait_for_lanes", week=week, space=LANE_LOCKS)
    return Runner(warehouse, week, transaction.rows("number")[0]["number"])
