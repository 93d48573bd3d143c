import itertools
import subprocess
import sys
import time

import pytest

from otcpipe.errors import Unreachable
from otcpipe.finra.rate_limit import RateLimit
from tests.finra_server import Dataset, FinraServer

ASKER = """
import sys, time, requests
from otcpipe.finra.rate_limit import RateLimit
rate, session, end = RateLimit(sys.argv[1], 18), requests.Session(), time.monotonic() + float(sys.argv[3])
while time.monotonic() < end:
    rate.wait_turn()
    session.get(sys.argv[2] + "/partitions/group/otcMarket/name/weeklySummary")
"""


def test_four_processes_together_keep_the_rate_in_every_second(environment: dict[str, str]) -> None:
    with FinraServer(Dataset({})) as server:
        command = [sys.executable, "-c", ASKER, environment["OTCPIPE_REDIS_URL"], server.url, "4"]
        askers = [subprocess.Popen(command) for _ in range(4)]
        assert [asker.wait(60) for asker in askers] == [0, 0, 0, 0]
        assert server.max_in_window(1.0) <= 19
        assert len(server.requests) >= 18 * 4


def test_slots_lie_an_interval_apart(environment: dict[str, str]) -> None:
    rate, times = RateLimit(environment["OTCPIPE_REDIS_URL"], 50), []
    for _ in range(11):
        rate.wait_turn()
        times.append(time.monotonic())
    assert min(later - earlier for earlier, later in itertools.pairwise(times)) > 0.009
    assert 0.19 < times[-1] - times[0] < 1


def test_without_redis_no_request_is_sent() -> None:
    with pytest.raises(Unreachable, match="rate limit"):
        RateLimit("redis://127.0.0.1:9", 18).wait_turn()
