"""The way from stage to stage: claims, leases, duplicates, damage, and running again by key."""

import io
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from otcpipe import resources
from otcpipe.errors import Invalid, Permanent, Poisonous, TooSoon, Unreachable
from otcpipe.pipeline import claims, definition, execution, lease, ledger
from otcpipe.pipeline.claims import Claim, ClaimedElsewhere
from otcpipe.pipeline.lease import Lease
from otcpipe.pipeline.ledger import Run
from otcpipe.records import Partition, StageResult
from otcpipe.storage import keys
from tests.support.pipeline import NOON, WEEK, carrier, drive, fail, file_text, functions, observe

Sql = Callable[..., list[tuple[Any, ...]]]
OTCE = Partition(WEEK, "OTCE")
NAMES = [stage.name for stage in definition.PIPELINE if not stage.setting]
CONTENT = file_text([("A", "AAAA", 1, 1), ("B", "BBBB", 2, 1)])
EVERYTHING = """
    select 'record', r::text, r.xmin::text from otc_internal.volume_record r
    union all select 'capture', c::text, '' from otc.capture c
    union all select 'summary', s::text, s.xmin::text from otc.symbol_summary s
    union all select 'share', s::text, s.xmin::text from otc.venue_share s
    union all select 'rolling', s::text, s.xmin::text from otc.symbol_rolling_avg s
    union all select 'concentration', s::text, s.xmin::text from otc.symbol_concentration s order by 1, 2
"""


def objects(environment: dict[str, str]) -> list[str]:
    return list(resources.store().keys(environment["OTCPIPE_S3_PREFIX"]))


def again(run: Run, *, only: bool = False) -> Run:
    return Run(run.stage, run.key, run.generation, request=f"again {uuid.uuid4()}", is_last=only)


@pytest.fixture
def carried(environment: dict[str, str]) -> list[Run]:
    return drive(observe(CONTENT, OTCE))


def test_a_file_goes_through_all_stages_after_fetch(carried: list[Run], sql: Sql) -> None:
    assert [run.stage.name for run in carried] == NAMES[1:]
    assert sql("select distinct state from otc.stage_run") == [("done",)]


@pytest.mark.parametrize("at", range(len(NAMES) - 1), ids=NAMES[1:])
def test_any_message_delivered_again_changes_no_row_and_makes_no_object(
    carried: list[Run], at: int, sql: Sql, environment: dict[str, str]
) -> None:
    rows, stored = sql(EVERYTHING), objects(environment)
    assert [run.stage.name for run in drive(carried[at])] == NAMES[at + 1 :]
    assert (sql(EVERYTHING), objects(environment)) == (rows, stored)


@pytest.mark.parametrize("at", range(len(NAMES) - 1), ids=NAMES[1:])
def test_any_key_processed_again_changes_no_row_and_makes_no_object(
    carried: list[Run], at: int, sql: Sql, environment: dict[str, str]
) -> None:
    rows, stored = sql(EVERYTHING), objects(environment)
    drive(again(carried[at]))
    assert (sql(EVERYTHING), objects(environment)) == (rows, stored)
    attempts = sql("select attempts from otc.stage_run where stage = any(%s)", NAMES[at + 1 :])
    assert attempts == [(2,)] * len(NAMES[at + 1 :])


def test_with_only_nothing_follows(carried: list[Run]) -> None:
    assert len(drive(again(carried[1], only=True))) == 1


@pytest.mark.parametrize("is_corrupt", [False, True])
@pytest.mark.parametrize("kind", ["parsed", "normalized", "rejected"])
def test_a_derived_object_that_is_gone_or_corrupt_is_made_again(
    carried: list[Run], kind: str, is_corrupt: bool, sql: Sql, environment: dict[str, str]
) -> None:
    rows, stored = sql(EVERYTHING), objects(environment)
    gone = next(key for key in stored if f"/{kind}/" in key)
    resources.store().discard(gone)
    if is_corrupt:
        client = resources.store()._client
        client.put_object(
            bucket_name="otcpipe", object_name=gone, data=io.BytesIO(b"x"), length=1, metadata={"sha256": "0"}
        )
    reader = carried[2] if kind == "parsed" else carried[3]
    if kind == "parsed":
        resources.store().discard(next(key for key in stored if "/normalized/" in key))
    drive(again(reader))
    assert (sql(EVERYTHING), objects(environment)) == (rows, stored)


def test_a_damaged_object_is_waited_for_while_it_is_made_and_given_up_when_that_failed(
    carried: list[Run], environment: dict[str, str], sql: Sql
) -> None:
    resources.store().discard(str(carried[2].key))
    resources.store().discard(str(carried[3].key))
    sent: list[Run] = []
    stage = functions()["normalize"]
    reader = again(carried[2])
    carrier(lambda run, _: sent.append(run)).execute(reader, stage)
    assert [run.stage.name for run in sent] == ["parse", "normalize"]
    carrier(lambda run, _: sent.append(run)).execute(reader, stage)
    assert [run.stage.name for run in sent[2:]] == ["normalize"], "it is being made already"
    fail(sent[0], "no such luck")
    with pytest.raises(Permanent, match="The run that rebuilds it failed: no such luck"):
        carrier(lambda run, _: sent.append(run)).execute(reader, stage)


def test_an_outage_of_postgres_in_mid_stage_does_not_count_as_a_crash(
    environment: dict[str, str], sql: Sql, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, sent = observe(CONTENT, OTCE), list[Run]()

    def cut_off(_: Run) -> StageResult:
        monkeypatch.setattr(resources.database(), "_url", "postgresql://127.0.0.1:9/")
        raise Unreachable("PostgreSQL does not answer.")

    for _ in range(5):
        held = claims.claim(resources.database(), run)
        assert isinstance(held, Claim), "its own lease does not block it"
        run = replace(run, previous_claim=held.worker)
    assert sql("select unended from otc.stage_run") == [(0,)]
    carrier(lambda run, _: sent.append(run)).execute(run, cut_off)
    assert sent == [run] and sent[0].previous_claim is not None


def test_text_that_postgres_refuses_is_made_storable(environment: dict[str, str], sql: Sql) -> None:
    def fails(_: Run) -> StageResult:
        raise OSError("a null \0 and half a pair \ud800")

    with pytest.raises(OSError, match="a null"):
        carrier(lambda *_: None).execute(observe(CONTENT, OTCE), fails)
    assert sql("select state, reason from otc.stage_run") == [
        ("queued", "OSError: a null \N{REPLACEMENT CHARACTER} and half a pair ?")
    ]


def test_a_raw_object_that_is_gone_is_a_permanent_error_that_names_it(
    carried: list[Run], environment: dict[str, str]
) -> None:
    raw, parsed = str(carried[1].key), str(carried[2].key)
    resources.store().discard(raw)
    resources.store().discard(parsed)
    with pytest.raises(Permanent, match=raw):
        drive(again(carried[1]))


def test_a_run_that_is_under_way_is_put_off_and_runs_when_its_lease_is_void(
    environment: dict[str, str], sql: Sql
) -> None:
    run = observe(CONTENT, OTCE)
    held = claims.claim(resources.database(), run)
    assert isinstance(held, Claim)
    put_off: list[tuple[Run, float]] = []
    stage = functions()["cache"]
    carrier(lambda run, wait: put_off.append((run, wait))).execute(run, stage)
    assert [(one, 0 < wait <= 16) for one, wait in put_off] == [(run, True)]
    sql("update otc.stage_run set lease_until = now() - interval '1 second'")
    assert [one.stage.name for one in drive(run)] == NAMES[1:]
    assert not claims.finish(resources.database(), held, StageResult("never")), "the first worker has lost its lease"


def test_a_lease_is_renewed_while_its_stage_runs(
    environment: dict[str, str], sql: Sql, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease, "RENEWALS", 300)
    run = observe(CONTENT, OTCE)
    held = claims.claim(resources.database(), run)
    assert isinstance(held, Claim)
    sql("update otc.stage_run set lease_until = now() + interval '1 second'")
    with Lease(resources.database(), held):
        sql("select pg_sleep(0.5)")
    assert isinstance(claims.claim(resources.database(), run), ClaimedElsewhere)
    assert sql("select lease_until > now() + interval '10 seconds' from otc.stage_run") == [(True,)]


def test_a_stage_that_fails_gives_its_claim_back_with_the_reason(environment: dict[str, str], sql: Sql) -> None:
    run = observe(CONTENT, OTCE)

    def fails(_: Run) -> StageResult:
        raise OSError("no space left")

    with pytest.raises(OSError, match="no space"):
        carrier(lambda *_: None).execute(run, fails)
    assert sql("select state, reason from otc.stage_run") == [("queued", "OSError: no space left")]
    drive(run)
    assert sql("select state, reason from otc.stage_run where stage = 'cache'") == [("done", None)]


@pytest.mark.parametrize("is_last", [False, True])
def test_a_stage_that_returns_what_the_next_one_cannot_read_fails(
    environment: dict[str, str], sql: Sql, *, is_last: bool
) -> None:
    run = replace(observe(CONTENT, OTCE), is_last=is_last)
    sent = list[Run]()
    with pytest.raises(Invalid, match="cache returned .*/fetched/.*, but parse reads keys of kind 'raw'"):
        carrier(lambda run, _: sent.append(run)).execute(run, lambda run: StageResult(str(run.key)))
    assert (sent, sql("select stage, state from otc.stage_run")) == ([], [("cache", "queued")])


def test_the_next_run_is_due_in_the_ledger_before_its_message_is_sent(environment: dict[str, str], sql: Sql) -> None:
    def lost(*_: object) -> None:
        raise ConnectionError

    with pytest.raises(ConnectionError):
        carrier(lost).execute(observe(CONTENT, OTCE), functions()["cache"])
    assert sql("select stage, state from otc.stage_run order by 1") == [("cache", "done"), ("parse", "queued")]


def test_the_same_observation_given_twice_is_one_capture(environment: dict[str, str], sql: Sql) -> None:
    drive(observe(CONTENT, OTCE, NOON), observe(CONTENT, OTCE, NOON))
    assert sql("select count(*) from otc.capture") == [(1,)]


def test_an_outage_is_waited_for_and_uses_up_no_attempt(environment: dict[str, str]) -> None:
    run = observe(CONTENT, OTCE)
    sent: list[tuple[Run, float]] = []

    def down(_: Run) -> StageResult:
        raise Unreachable("S3 does not answer.")

    carrier(lambda run, wait: sent.append((run, wait))).execute(run, down)
    assert sent == [(run, execution.OUTAGE_SECONDS)]


def test_a_run_whose_workers_die_in_it_is_left_alone_at_the_fourth_time(
    environment: dict[str, str], sql: Sql
) -> None:
    run = observe(CONTENT, OTCE)
    for _ in range(3):
        assert isinstance(claims.claim(resources.database(), run), Claim)
        sql("update otc.stage_run set lease_until = now() - interval '1 second'")
    with pytest.raises(Poisonous, match="3 workers in a row"):
        claims.claim(resources.database(), run)


def test_workers_that_die_between_failures_make_no_poison(environment: dict[str, str], sql: Sql) -> None:
    run = observe(CONTENT, OTCE)
    for _ in range(4):
        for _ in range(2):
            assert isinstance(claims.claim(resources.database(), run), Claim)
            sql("update otc.stage_run set lease_until = now() - interval '1 second'")
        held = claims.claim(resources.database(), run)
        assert isinstance(held, Claim)
        with suppress(OSError), Lease(resources.database(), held):
            raise OSError("it failed in good order")


def test_a_postponed_run_uses_up_no_attempt(environment: dict[str, str], sql: Sql) -> None:
    run = observe(CONTENT, OTCE)
    for error in (TooSoon("not yet", 1), TooSoon("not yet", 1), OSError("it failed")):
        held = claims.claim(resources.database(), run)
        assert isinstance(held, Claim)
        with suppress(TooSoon, OSError), Lease(resources.database(), held):
            raise error
    assert sql("select state, attempts, reason from otc.stage_run") == [("queued", 1, "OSError: it failed")]


def test_a_run_that_is_due_keeps_its_own_request(environment: dict[str, str]) -> None:
    first, second = (replace(observe(CONTENT, OTCE), request=word) for word in ("one", "two"))
    drive(first)
    assert ledger.request(resources.database(), replace(first, request="three")).request == "three"
    assert ledger.request(resources.database(), second).request == "three"


def test_a_request_for_a_stage_alone_does_not_cut_off_what_follows_a_run_that_is_due(
    environment: dict[str, str], sql: Sql
) -> None:
    run = observe(CONTENT, OTCE)
    asked = ledger.request(resources.database(), again(run, only=True))
    assert (asked.request, asked.is_last) == (run.request, False)
    assert [one.stage.name for one in drive(asked)] == NAMES[1:]


def test_a_run_that_is_due_alone_is_followed_once_it_is_asked_for_in_the_normal_course(
    carried: list[Run], sql: Sql
) -> None:
    alone = ledger.request(resources.database(), again(carried[0], only=True))
    asked = ledger.request(resources.database(), again(carried[0]))
    assert asked != alone
    assert [one.stage.name for one in drive(alone)] == NAMES[1:], "in whatever order the messages are delivered"
    assert sql("select distinct state from otc.stage_run") == [("done",)]


def test_a_run_that_is_under_way_alone_is_followed_once_it_is_asked_for_in_the_normal_course(
    carried: list[Run], sql: Sql
) -> None:
    sent = list[Run]()

    def ask_meanwhile(run: Run) -> StageResult:
        ledger.request(resources.database(), again(run))
        return functions()[run.stage.name](run)

    carrier(lambda run, _: sent.append(run)).execute(again(carried[0], only=True), ask_meanwhile)
    due = sql("select stage from otc.stage_run where state = 'queued'")
    assert due == [("parse",)], "for reconcile, where the message that asked for it gets lost"


def test_a_repeated_message_of_an_earlier_request_keeps_the_followers_of_what_is_due(
    carried: list[Run], sql: Sql
) -> None:
    earlier = again(carried[0], only=True)
    drive(earlier)
    later = ledger.request(resources.database(), again(carried[0]))
    assert [one.stage.name for one in drive(earlier)] == NAMES[1:]
    assert [one.stage.name for one in drive(later)] == NAMES[1:]
    assert sql("select distinct state from otc.stage_run") == [("done",)]


def test_a_stage_after_compute_runs_for_a_partition_whose_message_was_lost(
    environment: dict[str, str], sql: Sql, monkeypatch: pytest.MonkeyPatch
) -> None:
    seventh = replace(definition.named("compute"), name="signal", actor="make_signals", code_version=1)
    work = functions() | {"signal": lambda run: StageResult(str(run.key))}
    monkeypatch.setattr(definition, "PIPELINE", (*definition.PIPELINE[: NAMES.index("compute") + 1], seventh))
    waiting = [observe(CONTENT, OTCE), observe(file_text([("C", "AAAA", 1, 1)], "T1"), Partition(WEEK, "T1"))]
    at_compute = list[Run]()
    while waiting:
        run = waiting.pop()
        if run.stage.name == "compute":
            at_compute.append(run)
        else:
            carrier(lambda run, _: waiting.append(run)).execute(run, work[run.stage.name])
    waiting.append(at_compute[0])  # the message of the other partition is lost
    while waiting:
        run = waiting.pop()
        carrier(lambda run, _: waiting.append(run)).execute(run, work[run.stage.name])
    assert {row["state"] for row in ledger.partitions(resources.database())} == {"done", "queued"}
    sql("update otc.stage_run set queued_at = queued_at - interval '1 h' where state = 'queued'")
    with resources.database().transaction() as transaction:
        rows = transaction.rows("stranded", patience=timedelta(minutes=1))
    assert [row["stage"] for row in rows] == ["signal"]
    for row in rows:
        run = Run(seventh, keys.parse(row["key"], environment["OTCPIPE_S3_PREFIX"]), row["generation"])
        carrier(lambda run, _: waiting.append(run)).execute(run, work[run.stage.name])
    assert [row["state"] for row in ledger.partitions(resources.database())] == ["done", "done"]
    assert sql("select count(*) from otc.stage_run where stage = 'signal' and state = 'done'") == [(2,)]


def test_a_last_stage_on_which_no_table_depends_shows_while_it_is_due_and_when_it_has_failed(
    environment: dict[str, str], sql: Sql, monkeypatch: pytest.MonkeyPatch
) -> None:
    required = replace(definition.named("publish"), setting="")
    monkeypatch.setattr(definition, "PIPELINE", (*definition.PIPELINE[: NAMES.index("compute") + 1], required))
    waiting, work = [observe(CONTENT, OTCE)], functions()
    while waiting[0].stage.name != required.name:
        run = waiting.pop(0)
        carrier(lambda run, _: waiting.append(run)).execute(run, work[run.stage.name])

    def shown() -> list[tuple[str, str]]:
        return [(row["state"], row["stage"]) for row in ledger.partitions(resources.database())]

    assert shown() == [("queued", required.name)]
    sql("update otc.stage_run set state = 'failed', finished_at = now() where stage = %s", required.name)
    assert shown() == [("failed", required.name)]
    sql("update otc.stage_run set state = 'queued' where stage = %s", required.name)
    carrier(lambda run, _: waiting.append(run)).execute(waiting[0], lambda run: StageResult(str(run.key)))
    assert shown() == [("done", required.name)]
