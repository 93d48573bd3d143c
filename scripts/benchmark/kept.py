"""A history that is kept between runs: fill it to some number of weeks, and time what people wait for with it."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmark import backfill, browsing, histories, latency, stagewise, weeks, whole
from benchmark.measure import Cost, measured
from benchmark.report import Line
from otcpipe import resources
from otcpipe.metrics import completion
from otcpipe.stack import start_servers
from otcpipe.storage import reader
from otcpipe.text.counting import counted
from tests.conftest import READY, changed_environment

FILLED = b"select week_ending from otc.stage_run where stage = 'compute' and state = 'done'"
SIZE = b"select count(*) as records, pg_database_size(current_database()) as bytes from otc_internal.volume_record"
AS_OF = {
    "a metric's week as of a moment": b"select * from otc.symbol_summary_as_of(%(at)s, %(week)s, %(week)s)",
    "a week's records as of a moment": b"select * from otc.venue_volume_as_of(%(at)s) where week_ending = %(week)s",
}
RECENT = 13  # weeks whose deferred metrics are completed: those of all weeks take long


@contextmanager
def history(*, is_small: bool) -> Iterator[None]:
    """Run the servers of the kept history, and let this process use them."""
    home = weeks.HERE / ("kept-small" if is_small else "kept")
    supervisor = start_servers(home, durable=True, environ={}, ready=READY)
    try:
        with changed_environment(supervisor.environment | {"OTCPIPE_HOME": str(home)}):
            resources.database().migrate()
            with resources.database().transaction() as transaction:
                reader.make(transaction)
            yield
    finally:
        supervisor.stop()


def missing(number: int) -> list[int]:
    """Return the numbers of the weeks that are not loaded yet."""
    with resources.database().transaction() as transaction:
        filled = {row["week_ending"] for row in transaction.connection.execute(FILLED)}
    return [one for one in range(number) if weeks.partitions(one)[0].week_ending not in filled]


def fill(number: int, second: Cost, *, is_small: bool) -> Iterator[Line]:
    """Load the weeks that are missing through the API, newest first, and one more from its raw objects.

    `second` is what the second week of an empty database took.
    """
    rows = weeks.size(0, is_small=is_small)
    added = len(missing(number))
    with (
        backfill.server(number, is_small=is_small) as url,
        changed_environment({"OTCPIPE_FINRA_URL": url}),
        whole.workers(2, resources.settings().home) as processes,
    ):
        cost, limit = backfill.backfill(number, processes)
        name = f"{counted(added, 'week')} of {number}, newest first"
        yield Line(name, cost, added * rows, limit, "FINRA's limit of requests a second")
        last = whole.cost(stagewise.cached(stagewise.stored(number, is_small=is_small)), processes)
        yield Line(f"week {number + 1}", last, rows, second, "week 2 of an empty database")
    recent = weeks.partitions(max(number - RECENT, 0))[0].week_ending
    with measured(cost := Cost()):
        completed = completion.complete(resources.database(), first=recent)
    yield Line("a metric's week that looks back a year", Cost(cost.seconds / max(completed, 1)))


def lines(number: int, folder: Path, *, is_small: bool) -> Iterator[Line]:
    """Yield what people wait for: commands, exports, answers as of a moment, and pages."""
    symbol, last = weeks.busiest(is_small=is_small), weeks.monday(number - 1)
    times = 1 if is_small else 5
    floor = latency.nothing(times)
    for name, cost in latency.commands(symbol, last, times).items():
        yield Line(f"otcpipe {name}", cost, floor=floor, floor_is="Python that does nothing")
    middle = weeks.partitions(number // 2)[0].week_ending
    yield from histories.lines(middle, folder)
    for name, query in AS_OF.items():
        with resources.database().transaction() as transaction, measured(cost := Cost()):
            known = transaction.connection.execute(query, {"at": resources.settings().now(), "week": middle})
        yield Line(name, cost, known.rowcount)
    for name, (cold, again) in browsing.pages(symbol).items():
        yield Line(f"page of {name}", cold)
        yield Line(f"page of {name}, again", again)
    yield Line("a record with its indexes", room=stagewise.room())
    with resources.database().transaction() as transaction:
        (size,) = transaction.connection.execute(SIZE).fetchall()
    print(
        f"{size['records']:,} records, a database of {size['bytes'] / 1e9:.1f} GB, in {resources.settings().home}",
        file=sys.stderr,
    )
