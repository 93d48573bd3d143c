"""What a command that waits says: why, and at the end the sum."""

import json
import re
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from otcpipe.broker import actors
from otcpipe.broker.queues import Queues
from otcpipe.cli import attempts, waiting, watch
from otcpipe.records import Partition
from tests.support.pipeline import WEEK, file_text, observe

Here = Callable[..., "subprocess.CompletedProcess[str]"]

ROW = {
    "tier": "T1",
    "week_ending": "2025-11-14",
    "stage": "fetch",
    "records": 0,
    "reason": None,
    "retry_reason": None,
}


def test_the_sum_counts_what_is_done_and_what_is_not() -> None:
    done, absent = {"state": "done", "records": 1_975_000}, {"state": "absent", "records": None}
    assert watch.summary([done] * 4 + [absent] * 2) == "4 done, 7.9 M records, 2 not published yet, 0 failed."
    held, failed = {"state": "held", "records": 5}, {"state": "failed", "records": None}
    expected = "1 done, 1 record, 0 not published yet, 1 failed, 1 held by quality."
    assert watch.summary([done | {"records": 1}, held, failed]) == expected


def test_a_wait_for_a_worker_has_its_reason(environment: dict[str, str]) -> None:
    queues = Queues(environment["OTCPIPE_REDIS_URL"])
    assert "no worker consumes fetch" in str(waiting.reason(queues, [ROW | {"state": "queued"}]))
    assert waiting.reason(queues, [ROW | {"state": "running"}]) is None
    queues.close()


def test_a_server_that_does_not_answer_is_the_reason() -> None:
    assert "does not answer" in str(waiting.reason(Queues("redis://127.0.0.1:9"), [ROW | {"state": "queued"}]))


def test_what_waits_for_a_retry_says_when_it_is_tried_again(here: Here) -> None:
    run = observe(file_text([("A", "AAAA", 1, 1)]), Partition(WEEK, "OTCE"))
    assert "Next attempt" not in here("status").stdout
    actors.send(run, 600)
    (row,) = json.loads(here("status", "--json").stdout)
    seconds = (datetime.fromisoformat(row["next_attempt_at"]) - datetime.now(UTC)).total_seconds()
    assert 500 < seconds <= 600
    assert re.search(r"Next attempt at \d\d:\d\d:\d\d UTC\.", here("status").stdout)


@pytest.mark.parametrize(
    ("reason", "expected"),
    [(None, "Next"), ("no records", "no records. Next"), ("no records.", "no records. Next"), ("a\nb", "a b. Next")],
)
def test_a_reason_is_a_sentence_before_that_of_the_next_attempt(reason: str | None, expected: str) -> None:
    moment = datetime(2025, 12, 15, 14, 3, 20, tzinfo=UTC)
    assert attempts.with_time(reason, moment) == f"{expected} attempt at 14:03:20 UTC."
    assert attempts.with_time(reason, None) == " ".join((reason or "").split())


@pytest.mark.parametrize(
    ("other", "reason"),
    [
        ({"tier": "T2", "state": "running"}, "for T2 of the same week."),
        ({"tier": "T2", "state": "done"}, "until another worker has computed weeks that it needs."),
    ],
)
def test_what_waits_for_others_says_so_and_not_what_its_grade_noted(other: dict[str, str], reason: str) -> None:
    stored = ROW | {"state": "queued", "stage": "compute", "reason": "12 symbols are new"}
    delayed = {"finra/otc/normalized/T1/2025-11-14/0.parquet": datetime(2025, 12, 15, tzinfo=UTC)}
    expected = f"Waiting: T1 2025-11-14 is stored, and waits {reason}"
    assert waiting.of_attempts(delayed, [stored, ROW | other]) == expected
    assert waiting.of_attempts({}, [stored, ROW | other]) is None


def test_what_failed_and_waits_says_after_what() -> None:
    failed = ROW | {"state": "queued", "reason": "grade notes", "retry_reason": "FINRA answered 503"}
    delayed = {"finra/otc/partition/T1/2025-11-14": datetime(2025, 12, 15, 14, tzinfo=UTC)}
    expected = "Waiting: T1 2025-11-14 retries fetch after: FINRA answered 503. Next attempt at 14:00:00 UTC."
    assert waiting.of_attempts(delayed, [failed]) == expected
