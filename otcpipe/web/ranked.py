"""The ranking of a week's symbols, which a page and the API share."""

from typing import Annotated

from fastapi import Query

from otcpipe.answers import ranking
from otcpipe.errors import TooSoon
from otcpipe.storage.postgres import Database, Row
from otcpipe.web import asked
from otcpipe.web.services import depends

Count = Annotated[int, Query(ge=1, le=1000, description="Number of symbols.")]
Order = Annotated[str, Query(max_length=asked.LONGEST, description=f"{', '.join(ranking.BY)}.")]
Floor = Annotated[
    int | None,
    Query(ge=0, le=10**15, description="With by=unusual, the least median shares a trading day; default: 10000."),
]
FloorNotional = Annotated[
    int | None, Query(ge=0, le=10**15, description="With by=unusual, the least dollars a trading day; default: none.")
]

RETRY_SECONDS = 60


class Ranking:
    """What is asked for; each order has columns of its own."""

    def __init__(
        self,
        week: asked.Week = "",
        by: Order = "volume",
        tier: asked.Tier = "",
        scope: asked.Scope = "ATS",
        number: Count = 25,
        floor: Floor = None,
        floor_notional: FloorNotional = None,
        as_of: asked.AsOf = "",
    ) -> None:
        self.week, self.by = asked.week(week), asked.order(by)
        self.tier, self.scope = asked.tier(tier), asked.scope(scope) or "ATS"
        self.number, self.at = number, asked.moment(as_of)
        self.least = ranking.floors(self.by, self.at, floor, floor_notional)
        self.shape: Row = {"week": week, "by": self.by, "tier": tier, "scope": self.scope, "number": number}
        self.shape |= {"floor": floor, "floor_notional": floor_notional, "as_of": as_of}

    def find(self, database: Database) -> list[Row]:
        """Return the symbols; raises Invalid for a week that is not loaded, TooSoon if it is incomplete."""
        with database.transaction() as transaction:
            if self.by != ranking.UNUSUAL:
                return ranking.top(transaction, self.week, self.by, self.tier, self.scope, self.number, self.at)
            found = ranking.unusual(transaction, self.week, self.tier, self.scope, self.number, self.least)
        if found["is_incomplete"] and not found["rows"]:
            week = found["week_ending"]
            raise TooSoon(
                f"The week ending {week} is still to be completed: the scheduler does it within ten minutes, "
                "`otcpipe top --by unusual` at once.",
                RETRY_SECONDS,
            )
        return list(found["rows"])


Ranked = Annotated[Ranking, depends(Ranking)]
