"""Time weeks that are loaded while readers ask for pages, beside weeks that are loaded alone."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from benchmark import browsing
from benchmark.measure import Cost
from benchmark.readers import Answers
from benchmark.report import Line
from otcpipe import resources
from otcpipe.storage import reader

WARM, ALONE, BESIDE = 2, 12, 24  # weeks
MOST_SECONDS, STOP_SECONDS = 600, 60
Load = Callable[[], Cost]


def lines(readers: int, prepared: Callable[[range], Load], *, is_small: bool) -> Iterator[Line]:
    """Load weeks alone, then as many again and more beside readers; yield a week's cost and how long answers took."""
    share = 6 if is_small else 1
    first, second, end = WARM, WARM + ALONE // share, WARM + (ALONE + BESIDE) // share
    prepared(range(first))()  # libraries and connections are ready then, and pages have something to show
    alone = _each(prepared(range(first, second))(), second - first)
    load = prepared(range(second, end))
    with resources.database().transaction() as transaction:
        reader.make(transaction)
    with browsing.serving() as origin, _readers(readers, origin) as answers:
        beside = _each(load(), end - second)
    [found] = answers
    print(f"{readers} readers: {found}", file=sys.stderr)
    yield Line("a week alone", alone)
    yield Line("a week beside readers", beside, floor=alone, floor_is="a week alone")
    yield Line("95 % of answers", Cost(found.most))


def _each(cost: Cost, weeks: int) -> Cost:
    return Cost(cost.seconds / weeks, cost.megabytes)


@contextmanager
def _readers(number: int, origin: str) -> Iterator[list[Answers]]:
    """Let readers ask in a session of their own; the list has what they found once they are stopped."""
    command = [sys.executable, "-m", "benchmark.readers", "--json", "--origin", origin]
    command += ["--readers", str(number), "--seconds", str(MOST_SECONDS)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True)
    found = list[Answers]()
    if process.stdout:
        process.stdout.readline()  # from then on it ends in good order
    yield found
    process.terminate()
    found.append(Answers(**json.loads(process.communicate(timeout=STOP_SECONDS)[0])))
