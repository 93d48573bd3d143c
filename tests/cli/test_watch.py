"""What a command that waits says: why, and at the end the sum."""

import json
import re
import subprocess
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime

import pytest

from otcpipe import resources
from otcpipe.broker import actors
from otcpipe.broker.queues import Queues
from otcpipe.cli import attempts, waiting, watch
from otcpipe.errors import OtcpipeError
from otcpipe.pipeline import definition, ledger
from otcpipe.pipeline.ledger import Run
from otcpipe.records import Partition, StageResult
from otcpipe.storage import keys
from tests.support.pipeline import WEEK, carrier, file_text, functions, observe

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
    found = waiting.reason(queues, [ROW | {"state": "queued"}])
    assert found and found.sentence.startswith("Waiting: no worker consumes fetch;")
    assert waiting.reason(queues, [ROW | {"state": "running"}]) is None
    queues.close()


def test_a_server_that_does_not_answer_is_the_reason() -> None:
    found = waiting.reason(Queues("redis://127.0.0.1:9"), [ROW | {"state": "queued"}])
    assert found and "does not answer" in found.sentence


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


def delayed(*tiers: str) -> dict[str, datetime]:
    moment = datetime(2025, 12, 15, 14, tzinfo=UTC)
    return {f"finra/otc/normalized/{tier}/2025-11-14/0.parquet": moment for tier in tiers}


def sentence(attempts: dict[str, datetime], *rows: Mapping[str, object]) -> str | None:
    found = waiting.of_attempts(attempts, [{**ROW, **row} for row in rows])
    return found.sentence if found else None


UNTIL = "until another worker has computed weeks that it needs."
STORED = {"state": "queued", "stage": "compute", "reason": "12 symbols are new"}


@pytest.mark.parametrize(
    ("others", "expected"),
    [
        (
            [{"tier": "T2", "state": "running"}],
            "Waiting: T1 2025-11-14 is stored, and waits for T2 of the same week.",
        ),
        (
            [{"tier": "T2", "state": "done"}],
            f"Waiting: T1 2025-11-14 is stored, and waits {UNTIL}",
        ),
        ([{"week_ending": "2025-11-21", "state": "running"}], None),  # the progress shows that they come
        (
            [{"week_ending": "2025-11-21", "state": "queued"}],
            f"Waiting: 1 partition is stored, and waits for others of the same week, or {UNTIL}",
        ),
    ],
)
def test_what_waits_for_others_says_so_and_not_what_its_grade_noted(
    others: list[Mapping[str, object]], expected: str | None
) -> None:
    assert sentence(delayed("T1"), STORED, *others) == expected
    assert sentence({}, STORED, *others) is None


def test_two_tiers_that_wait_for_the_third_do_not_wait_for_each_other() -> None:
    found = sentence(delayed("T1", "T2"), STORED, STORED | {"tier": "T2"}, {"tier": "OTCE", "state": "running"})
    assert found == "Waiting: T1 and T2 2025-11-14 are stored, and wait for OTCE of the same week."


def test_what_failed_and_waits_says_after_what() -> None:
    failed = {"state": "queued", "reason": "grade notes", "retry_reason": "FINRA answered 503"}
    expected = "after: FINRA answered 503. Next attempt at 14:00:00 UTC."
    assert sentence(delayed("T1"), failed) == f"Waiting: T1 2025-11-14 retries fetch {expected}"
    assert (
        sentence(delayed("T1", "T2"), failed, failed | {"tier": "T2"})
        == f"Waiting: 2 partitions retry fetch {expected}"
    )


def test_each_cause_is_said_once_and_again_when_it_is_back(
    environment: dict[str, str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "LOOK_SECONDS", 0)
    reasons = watch._Reasons()
    rows = [ROW | {"state": "queued"}]
    for _ in range(3):
        reasons.look(rows)
    assert capsys.readouterr().out.count("no worker consumes fetch") == 1
    reasons.look([ROW | {"state": "done"}])
    monkeypatch.setattr(watch, "FORGET_SECONDS", 0)
    reasons.look(rows)
    assert capsys.readouterr().out.count("no worker consumes fetch") == 1


def test_to_wait_for_others_is_no_failed_attempt(environment: dict[str, str]) -> None:
    other = keys.parse(f"partition/T2/{WEEK}", environment["OTCPIPE_S3_PREFIX"])
    ledger.request(resources.database(), Run(definition.named("fetch"), other))
    runs, work = [observe(file_text([("A", "AAAA", 1, 1)], "T1"), Partition(WEEK, "T1"))], functions()
    while runs[-1].stage.name != "compute":
        carrier(lambda run, _: runs.append(run)).execute(runs[-1], work[runs[-1].stage.name])
    for body in (work["compute"], failing):
        with suppress(OtcpipeError):
            carrier(lambda *_: None).execute(runs[-1], body)
        (row,) = (row for row in ledger.partitions(resources.database(), WEEK) if row["tier"] == "T1")
        reasons = (row["reason"], row["retry_reason"])
        assert reasons == (("no luck", "no luck") if body is failing else ("Waiting for T2 of the same week.", None))


def failing(_: Run) -> StageResult:
    raise OtcpipeError("no luck")
