from collections.abc import Callable
from datetime import timedelta
from typing import Any

from otcpipe.records import Partition
from tests.pipeline import NOON, WEEK, drive, file_text, observe

Sql = Callable[..., list[tuple[Any, ...]]]
OTCE = Partition(WEEK, "OTCE")
HISTORY = """
    select r.symbol, r.share_volume::int, b.observed_at, e.observed_at
    from otc.volume_record r join otc.capture b on b.capture_id = r.brought_by
    left join otc.capture e on e.capture_id = r.ended_by order by 1, 3
"""


def test_content_that_reverts_is_applied_again(sql: Sql) -> None:
    a, b = file_text([("SPY", "AAAA", 81448654, 1)]), file_text([("SPY", "AAAA", 96459364, 1)])
    for day, content in enumerate((a, b, a)):
        drive(observe(content, OTCE, NOON + timedelta(days=day)))
    assert sql("select count(*) from otc.volume_record") == [(3,)]
    assert sql("select share_volume::int from otc.venue_volume") == [(81448654,)]
    assert sql("select total_volume::int from otc.symbol_summary") == [(81448654,)]
