"""Time each stage and a whole week of full size, each beside its floor in the same run."""

import argparse
import json
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmark import backfill, beside, by_hand, fetching, histories, kept, latency, stagewise, usual, weeks, whole
from benchmark.measure import Cost
from benchmark.report import Line, check, medians, show
from otcpipe.pipeline.ledger import Run
from otcpipe.stack import Supervisor, start_servers
from otcpipe.storage.postgres import Database
from otcpipe.text.counting import counted
from tests.conftest import READY, changed_environment, place

RESTATED = 500  # one row in so many is one symbol in thirty
SEVERAL = 12  # weeks


def main() -> int:
    asked = _arguments()
    signal.signal(signal.SIGINT, signal.default_int_handler)  # background jobs of a shell inherit it as ignored
    with tempfile.TemporaryDirectory(prefix="otcpipe-bench-") as folder:
        lines = _resumed(asked, Path(folder)) if asked.resume else _measured(asked, Path(folder))
    if asked.json:
        json.dump([line.as_row() for line in lines], sys.stdout, indent=2)
        return 0
    show(lines)
    return check(lines) if asked.check else 0


def _measured(asked: argparse.Namespace, folder: Path) -> list[Line]:
    measure = _backfill if asked.backfill else _beside if asked.readers else _lines
    with _servers(folder) as servers:
        return medians([line for _ in range(asked.times) for line in measure(asked, servers, folder)])


def _resumed(asked: argparse.Namespace, folder: Path) -> list[Line]:
    number, small = asked.history, asked.small
    with kept.history(is_small=small):
        is_filled = not kept.missing(number)
    second = Cost() if is_filled else _second(asked, folder)
    with kept.history(is_small=small):
        filled = [] if is_filled else list(kept.fill(number, second, is_small=small))
        return filled + list(kept.lines(number, folder / "exported", is_small=small))


def _second(asked: argparse.Namespace, folder: Path) -> Cost:
    """Return what the second week of an empty database takes."""
    with _servers(folder) as servers, place(servers, folder), whole.workers(2, folder) as processes:
        return [_whole(asked, processes, range(one, one + 1), folder).cost for one in range(2)][1]


def _lines(asked: argparse.Namespace, servers: Supervisor, folder: Path) -> Iterator[Line]:
    with (
        fetching.finra(is_small=asked.small) as url,
        place(servers, folder, OTCPIPE_FINRA_URL=url, OTCPIPE_FINRA_RATE=fetching.RATE),
    ):
        stagewise.warm()
        yield Line("fetch", *_fetched(asked))
    with place(servers, folder):
        yield from _history(asked)
        stages = list(_stages(asked, folder))
        yield from stages
        yield from _signals(asked, next(line.cost for line in stages if line.name == "compute"))
        yield from _again(asked, next(line.floor for line in stages if line.name == "persist"))
        yield from _histories(asked, folder)
        yield Line("a record with its indexes", room=stagewise.room())
        times = 1 if asked.small else 5
        floor = latency.nothing(times)
        symbol = weeks.busiest(is_small=asked.small)
        for name, cost in latency.commands(symbol, weeks.monday(asked.history), times).items():
            yield Line(f"otcpipe {name}", cost, floor=floor, floor_is="Python that does nothing")
        for number in (1, 2):
            with whole.workers(number, folder) as processes:
                first = asked.history + 2 * number - 1
                # a first week, so that libraries and connections are ready
                _whole(asked, processes, range(first, first + 1), folder)
                line = _whole(asked, processes, range(first + 1, first + 2), folder)
                yield line
    with place(servers, folder), whole.workers(2, folder) as processes:
        yield _whole(asked, processes, range(SEVERAL), folder)
    with place(servers, folder), whole.workers(1, folder):
        yield Line("enqueue to start, idle", latency.start())
    if not asked.quick:
        with place(servers, folder):
            yield from _usual(asked, line.cost)


def _backfill(asked: argparse.Namespace, servers: Supervisor, folder: Path) -> Iterator[Line]:
    """Time a backfill through the API, newest first, and then a week more beside DuckDB."""
    number = asked.backfill
    with (
        backfill.server(number, is_small=asked.small) as url,
        place(servers, folder, OTCPIPE_FINRA_URL=url),
        whole.workers(2, folder) as processes,
    ):
        cost, limit = backfill.backfill(number, processes)
        rows = number * weeks.size(0, is_small=asked.small)
        yield Line("backfill, newest first", cost, rows, limit, "FINRA's limit of requests a second")
        yield _whole(asked, processes, range(number, number + 1), folder)
        symbol = weeks.busiest(is_small=asked.small)
        floor = latency.nothing(1)
        for name, cost in latency.commands(symbol, weeks.monday(number - 1), 1 if asked.small else 3).items():
            yield Line(f"otcpipe {name}", cost, floor=floor, floor_is="Python that does nothing")


def _beside(asked: argparse.Namespace, servers: Supervisor, folder: Path) -> Iterator[Line]:
    """Time weeks from raw objects to metrics, alone and beside readers of the pages."""
    with place(servers, folder), whole.workers(2, folder) as processes:

        def prepared(numbers: range) -> beside.Load:
            runs = [
                run for number in numbers for run in stagewise.cached(stagewise.stored(number, is_small=asked.small))
            ]
            return lambda: whole.cost(runs, processes)

        yield from beside.lines(asked.readers, prepared, is_small=asked.small)


def _history(asked: argparse.Namespace) -> Iterator[Line]:
    """Fill weeks first; yield the second, and the last compared with it."""
    second: Cost | None = None
    for number in range(asked.history):
        costs: stagewise.Costs = {}
        stagewise.execute(stagewise.stored(number, is_small=asked.small), costs)
        cost = _sum(costs)
        if number in (1, asked.history - 1):
            yield Line(
                f"week {number + 1}",
                cost,
                weeks.size(number, is_small=asked.small),
                second,
                "week 2" if second else "",
            )
            second = second or cost
        print(f"week {number + 1} of {asked.history}: {cost.seconds:.1f} s", file=sys.stderr)


def _fetched(asked: argparse.Namespace) -> tuple[Cost, int, Cost, str]:
    cost, floor = fetching.fetch()
    return cost, weeks.size(0, is_small=asked.small), floor, "the same pages, nothing checked or stored"


def _stages(asked: argparse.Namespace, folder: Path) -> Iterator[Line]:
    costs = stagewise.Costs()
    carried = stagewise.execute(stagewise.stored(asked.history, is_small=asked.small), costs)
    lake = folder / "lake"
    with changed_environment({"OTCPIPE_PUBLISH": str(lake)}):
        carried += stagewise.execute([stagewise.publishing(carried[-1])], costs)
    contents = weeks.contents(asked.history, is_small=asked.small)
    floors = stagewise.floor(carried, contents, folder, lake)
    shutil.rmtree(lake)
    for name, cost in costs.items():
        yield Line(name, cost, sum(map(weeks.rows, contents.values())), floors[name], stagewise.MEANING[name])


def _signals(asked: argparse.Namespace, compute: Cost) -> Iterator[Line]:
    [week] = {one.week_ending for one in weeks.partitions(asked.history)}
    for name, cost in stagewise.signals(week).items():
        yield Line(f"{name} of a week", cost, floor=compute, floor_is="compute, all of it")


def _again(asked: argparse.Namespace, floor: Cost | None) -> Iterator[Line]:
    """Observe the same week again: unchanged, and with some rows restated."""
    for name, changed, day in (("persist, unchanged", 0, 1), ("persist, 50 rows restated", 50, 2)):
        costs = stagewise.Costs()
        stagewise.execute(stagewise.stored(asked.history, is_small=asked.small, changed=changed, day=day), costs)
        yield Line(
            name,
            costs["persist"],
            weeks.size(asked.history, is_small=asked.small),
            floor,
            stagewise.MEANING["persist"],
        )


def _histories(asked: argparse.Namespace, folder: Path) -> Iterator[Line]:
    """Restate about 3 % of the week's symbols, then time the histories."""
    changed = max(weeks.size(asked.history, is_small=asked.small) // RESTATED, 5)
    stagewise.execute(
        stagewise.stored(asked.history, is_small=asked.small, changed=changed, day=3), stagewise.Costs()
    )
    [week] = {one.week_ending for one in weeks.partitions(asked.history)}
    yield from histories.lines(week, folder / "exported")
    shutil.rmtree(folder / "exported")


def _whole(asked: argparse.Namespace, processes: whole.Processes, numbers: range, folder: Path) -> Line:
    cached, rows, floor = list[Run](), 0, None
    for number in numbers:
        rows += weeks.size(number, is_small=asked.small)
        cached += stagewise.cached(stagewise.stored(number, is_small=asked.small))
    what = "raw to metrics" if len(numbers) == 1 else f"{len(numbers)} weeks"
    workers = counted(len(processes) - 1, "worker")  # and one that fetches
    cost = whole.cost(cached, processes)
    if len(numbers) == 1:
        floor = by_hand.cost([*weeks.contents(numbers[0], is_small=asked.small).values()], folder)
    return Line(f"{what}, {workers}", cost, rows, floor, "DuckDB by hand: sums, no versions" if floor else "")


def _usual(asked: argparse.Namespace, ours: Cost) -> Iterator[Line]:
    contents = weeks.contents(0, is_small=asked.small)
    for name, way in (("csv and executemany", usual.many_at_once), ("csv and a row at a time", usual.row_by_row)):
        cost = Cost()
        way(list(contents.values()), cost)
        yield Line(f"usual: {name}", cost, sum(map(weeks.rows, contents.values())), ours, "raw to metrics, 2 workers")


def _sum(costs: stagewise.Costs) -> Cost:
    return Cost(sum(cost.seconds for cost in costs.values()), max(cost.megabytes for cost in costs.values()))


@contextmanager
def _servers(folder: Path) -> Iterator[Supervisor]:
    supervisor = start_servers(folder / "stack", durable=True, environ={}, ready=READY)
    try:
        template = Database(supervisor.environment["OTCPIPE_DATABASE_URL"])
        template.migrate()
        template.close()
        yield supervisor
    finally:
        supervisor.stop(quick=True)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print a list of objects")
    parser.add_argument("--history", type=int, default=0, metavar="N", help="number of weeks to fill first")
    parser.add_argument(
        "--resume", action="store_true", help="keep these weeks, go on where it ended, and time only what reads them"
    )
    parser.add_argument(
        "--backfill", type=int, default=0, metavar="N", help="time only this: N weeks from the API, newest first"
    )
    parser.add_argument(
        "--readers",
        type=int,
        default=0,
        metavar="N",
        help="time only this: weeks loaded beside N readers of the pages",
    )
    parser.add_argument("--times", type=int, default=1, metavar="N", help="repeat everything and report medians")
    parser.add_argument(
        "--quick", action="store_true", help="leave out the comparison with usual ways, which takes a minute or two"
    )
    parser.add_argument("--small", action="store_true", help="a rehearsal with some hundred rows instead of 264,000")
    parser.add_argument(
        "--check", action="store_true", help="fail if a ratio is worse than the recorded one by a third"
    )
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
