"""A scheduler, its stages and FINRA in this process, day by day on a simulated clock."""

from collections.abc import Callable, Iterable, Iterator, Sized
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from functools import partial

import pytest

from otcpipe import resources, schedule, weeks
from otcpipe.datasets import TIERS
from otcpipe.pipeline import coverage, recovery
from otcpipe.pipeline.ledger import Run
from otcpipe.records import Partition
from tests.finra_server import Dataset, FinraServer, generated
from tests.support.pipeline import drive

DAY = timedelta(days=1)
SIZES = {"T1": 6, "T2": 6, "OTCE": 6}
TICK, CHECK, REFRESH = time(6, 42), time(9, 2), time(18, 2)  # New York; Wednesday's jobs are due by the check's time
HOURS = ((TICK,), (TICK,), (CHECK,), (REFRESH,), (CHECK,), (), (CHECK,))  # Monday to Sunday


@dataclass
class Year:
    """The simulation: what FINRA publishes late or restates, and when no scheduler runs."""

    dataset: Dataset
    patch: pytest.MonkeyPatch
    late: dict[Partition, date]
    restated: dict[date, Partition]
    down: tuple[date, date]
    fired: list[tuple[str, datetime]] = field(default_factory=list)
    now: datetime | None = None

    def live(self, first: date, last: date) -> None:
        """Run every day from the first to the last, at the hours at which something is due."""
        for number in range((last - first).days + 1):
            day = first + number * DAY
            self._publish(day)
            if not self.down[0] <= day <= self.down[1]:
                for hour in HOURS[day.weekday()]:
                    self.wake(datetime.combine(day, hour, weeks.NEW_YORK))

    def wake(self, now: datetime) -> None:
        """Set the clock, let two schedulers fire, and execute everything that they send."""
        self.now = now
        self.patch.setenv("OTCPIPE_NOW", now.isoformat())
        resources.settings.cache_clear()
        sent: list[Run] = []
        context = schedule.JobContext(
            now,
            resources.database(),
            resources.store(),
            resources.settings(),
            sent.append,
            self._send_lost_runs(sent),
        )
        schedule.begin(resources.database(), now)
        for _ in range(2):
            self.fired += [(job, now) for job in schedule.fire_due(context)]
        drive(*sent)

    def covered(self) -> dict[Partition, str]:
        """Return the coverage of everything that is due."""
        assert self.now
        cells = coverage.cells(resources.database(), self.now, resources.settings().since)
        return {one.partition: str(one) for one in cells if one.state not in (coverage.UNWANTED, "not_due")}

    def due(self, since: dict[str, date]) -> set[Partition]:
        """Return what is due, computed without otcpipe, from a first week of each tier on."""
        return {
            Partition(friday, tier)
            for tier in TIERS
            for friday in (since[tier] + 7 * number * DAY for number in range(60))
            if self.dataset.today and weeks.published_on(friday, tier) <= self.dataset.today
        }

    def _send_lost_runs(self, sent: list[Run]) -> Callable[[], Sized]:
        prefix = resources.settings()["S3_PREFIX"]
        found = partial(recovery.send_lost_runs, resources.database(), resources.store(), prefix)
        return lambda: found((), self.now or datetime.now(UTC), sent.append)

    def _publish(self, day: date) -> None:
        self.dataset.today = day
        for one in [one for one, until in self.late.items() if until == day]:
            place = (one.week_start, one.tier)
            self.dataset.put(place, generated([one.week_start], SIZES).partition(place).lines)
        if day in self.restated:
            self.dataset.restate((self.restated[day].week_start, self.restated[day].tier), seed=day.toordinal())


@contextmanager
def year(
    mondays: Iterable[date],
    late: dict[Partition, date],
    restated: dict[date, Partition],
    down: tuple[date, date],
) -> Iterator[Year]:
    """FINRA with some weeks; the late ones are missing until their days."""
    dataset = generated(mondays, SIZES)
    for partition in late:
        dataset.remove((partition.week_start, partition.tier))
    with FinraServer(dataset) as server, pytest.MonkeyPatch.context() as patch:
        patch.setenv("OTCPIPE_FINRA_URL", server.url)
        patch.setenv("OTCPIPE_FINRA_RATE", "1000")
        yield Year(dataset, patch, late, restated, down)
