"""Each condition reaches a real receiver once, once more when it is over, and no token reaches a screen."""

import json
import subprocess
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from otcpipe import resources, settings, weeks
from otcpipe.broker import messages
from otcpipe.cli import alert
from otcpipe.monitoring import alerts, conditions
from otcpipe.monitoring.context import CheckContext
from otcpipe.monitoring.receivers import receivers
from otcpipe.pipeline import dead_letters, definition
from otcpipe.records import Partition
from tests.support.pipeline import WEEK, accept, api_text, drive, observe

Sql = Callable[..., list[tuple[Any, ...]]]
Here = Callable[..., "subprocess.CompletedProcess[str]"]
T1 = Partition(WEEK, "T1")
FETCHED = weeks.due_at(WEEK, "T1") + timedelta(hours=1)
NOW = FETCHED + timedelta(days=2)
TOTAL = {"MPID": "", "summaryTypeCode": "ATS_W_SMBL"}


class Inbox:
    """A webhook that keeps what it is sent, or refuses it."""

    def __init__(self) -> None:
        self.messages: list[dict[str, str]] = []
        self.status = 200
        inbox = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if inbox.status == 200:
                    inbox.messages.append(json.loads(body))
                self.send_response(inbox.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name of the standard library
                """Log nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"json://user:s3cr3t-token@127.0.0.1:{self.server.server_address[1]}/hook"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def taken(self) -> list[str]:
        """Return the texts received since the last call."""
        texts, self.messages = [f"{one['title']}\n{one['message']}" for one in self.messages], []
        return texts


@pytest.fixture
def inbox() -> Iterator[Inbox]:
    found = Inbox()
    yield found
    found.server.shutdown()
    found.server.server_close()


def found(environment: dict[str, str], now: datetime = NOW, **changed: str) -> list[conditions.Condition]:
    more = {"OTCPIPE_NOW": now.isoformat(), "OTCPIPE_TIERS": "T1", "OTCPIPE_SINCE": str(WEEK)}
    return conditions.find(CheckContext(settings.load(environment | more | changed)))


def load(volume: int = 100, at: datetime = FETCHED, *totals: dict[str, object]) -> None:
    drive(observe(api_text([{"totalWeeklyShareQuantity": volume}, *totals], T1), T1, at, covers="all"))


def die() -> None:
    dead = dead_letters.DeadMessage("1", "parse", b"no message", NOW, None)
    assert dead_letters.record(resources.database(), dead, messages.read)


def late(environment: dict[str, str], sql: Sql) -> None:
    """Nothing was fetched of a week that is due."""


def failed(environment: dict[str, str], sql: Sql) -> None:
    load()
    sql("update otc.stage_run set state = 'failed', reason = 'it broke' where stage = %s", definition.last().name)


def held(environment: dict[str, str], sql: Sql) -> None:
    rows: list[dict[str, object]] = [{"totalWeeklyTradeCount": "many"}] * 200
    drive(observe(api_text([{}, *rows], T1), T1, FETCHED, covers="all"))


def dead(environment: dict[str, str], sql: Sql) -> None:
    load()
    die()


def unreconciled(environment: dict[str, str], sql: Sql) -> None:
    load(100, FETCHED, TOTAL | {"totalWeeklyShareQuantity": 7})


def restated(environment: dict[str, str], sql: Sql) -> None:
    load()
    load(400, FETCHED + timedelta(hours=1))


def mend_late(environment: dict[str, str], sql: Sql) -> None:
    load()


def mend_failed(environment: dict[str, str], sql: Sql) -> None:
    sql("update otc.stage_run set state = 'done', reason = null where stage = %s", definition.last().name)


def mend_held(environment: dict[str, str], sql: Sql) -> None:
    accept(T1, at=NOW)
    sql("update otc.stage_run set state = 'done', reason = null")


def mend_dead(environment: dict[str, str], sql: Sql) -> None:
    with resources.database().transaction() as transaction:
        transaction.connection.execute("delete from otc.dead_letter")


def mend_unreconciled(environment: dict[str, str], sql: Sql) -> None:
    load(100, FETCHED + timedelta(hours=1))


@pytest.mark.parametrize(
    ("kind", "trip", "mend", "text"),
    [
        ("late", late, mend_late, "never requested"),
        ("failed", failed, mend_failed, "it broke"),
        ("held", held, mend_held, "held"),
        ("dead letter", dead, mend_dead, "1 open dead letter of parse"),
        ("unreconciled", unreconciled, mend_unreconciled, "FINRA's own totals"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_condition_is_told_once_and_once_more_when_it_is_over(
    environment: dict[str, str], sql: Sql, inbox: Inbox, kind: str, trip: Any, mend: Any, text: str
) -> None:
    known = receivers(settings.load(environment | {"OTCPIPE_ALERT_URLS": inbox.url}))
    now = weeks.due_at(WEEK, "T1") + timedelta(days=5) if kind == "late" else NOW
    trip(environment, sql)
    (condition,) = [one for one in found(environment, now) if one.kind == kind]
    assert text in condition.sentence
    assert [one.was_taken for one in alerts.notify(resources.database(), known, found(environment, now))] == [True]
    (message,) = inbox.taken()
    assert condition.sentence in message
    assert condition.command in message
    assert alerts.notify(resources.database(), known, found(environment, now)) == []
    mend(environment, sql)
    assert [one for one in found(environment, now) if one.kind == kind] == []
    alerts.notify(resources.database(), known, found(environment, now))
    assert any(f"Over: {condition.sentence}" in message for message in inbox.taken())
    assert alerts.notify(resources.database(), known, found(environment, now)) == []


def test_a_restatement_is_told_once_by_its_size_or_its_symbol_and_is_never_over(
    environment: dict[str, str], sql: Sql, inbox: Inbox
) -> None:
    restated(environment, sql)
    (symbol,) = {row[0] for row in sql("select symbol from otc.venue_volume")}
    assert found(environment) == []
    assert [one.kind for one in found(environment, OTCPIPE_ALERT_SHARES="300")] == ["restated"]
    assert found(environment, OTCPIPE_ALERT_SHARES="301") == []
    (condition,) = found(environment, OTCPIPE_ALERT_SYMBOLS=f"none, {symbol.lower()}")
    assert (
        condition.sentence == f"T1, week ending {WEEK}: FINRA restated 300 shares of 1 symbol, {symbol} among them."
    )
    known = receivers(settings.load(environment | {"OTCPIPE_ALERT_URLS": inbox.url}))
    for conditions_now in ([condition], [condition], [], []):
        alerts.notify(resources.database(), known, conditions_now)
    assert len(inbox.taken()) == 1
    later = found(environment, FETCHED + timedelta(days=15), OTCPIPE_ALERT_SHARES="300")
    assert [one for one in later if one.kind == "restated"] == []


def test_a_tier_without_an_answer_on_its_day_of_publication_is_silent(environment: dict[str, str]) -> None:
    due = weeks.due_at(WEEK, "T1")

    def silent(now: datetime) -> list[str]:
        return [one.sentence for one in found(environment, now) if one.kind == "silent"]

    assert silent(due + conditions.QUIET_HOURS - timedelta(seconds=1)) == []
    assert len(silent(due + conditions.QUIET_HOURS)) == 1
    assert silent(due + timedelta(days=1)) == []
    load(at=due)
    assert silent(due + conditions.QUIET_HOURS) == []


def test_a_receiver_that_refuses_is_told_again_and_the_others_are_not(
    environment: dict[str, str], inbox: Inbox
) -> None:
    other = Inbox()
    urls = f"{inbox.url} {other.url}"
    known = receivers(settings.load(environment | {"OTCPIPE_ALERT_URLS": urls}))
    now = weeks.due_at(WEEK, "T1") + timedelta(days=5)
    other.status = 500
    taken = [one.was_taken for one in alerts.notify(resources.database(), known, found(environment, now))]
    assert taken == [True, False]
    other.status = 200
    assert len(alerts.notify(resources.database(), known, found(environment, now))) == 1
    assert (len(inbox.taken()), len(other.taken())) == (1, 1)
    other.server.shutdown()
    other.server.server_close()


def test_an_outage_is_told_once_when_it_lasts_and_once_when_it_is_over(
    environment: dict[str, str], inbox: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTCPIPE_ALERT_URLS", inbox.url)
    resources.settings.cache_clear()
    outage, begin = alert.Outage(), datetime(2026, 1, 5, tzinfo=UTC)
    outage.end()
    for minutes in (0, 1, 2, 3):
        outage.note("PostgreSQL does not answer.", begin + timedelta(minutes=minutes))
    outage.end()
    outage.end()
    assert [text.split("\n")[1] for text in inbox.taken()] == [
        "PostgreSQL does not answer.",
        "Over: PostgreSQL does not answer.",
    ]
    resources.settings.cache_clear()


def test_the_command_lists_tests_and_tells_and_shows_no_token(
    environment: dict[str, str], here: Here, inbox: Inbox
) -> None:
    more = {"OTCPIPE_ALERT_URLS": inbox.url, "OTCPIPE_TIERS": "T1", "OTCPIPE_SINCE": str(WEEK)}
    more["OTCPIPE_NOW"] = (weeks.due_at(WEEK, "T1") + timedelta(days=5)).isoformat()
    listed = here("alert", "--list", "--json", **more)
    assert [row["kind"] for row in json.loads(listed.stdout)] == ["late"]
    assert here("alert", "--test", **more).stdout == "receiver 1 (JSON) took the test message.\n"
    assert here("alert", **more).stdout == "receiver 1 (JSON) was notified: 1 new, 0 over.\n"
    assert here("alert", **more).stdout == "Nothing has changed since the receivers were notified.\n"
    assert len(inbox.taken()) == 2
    inbox.status = 500
    refused = here("alert", "--test", **more)
    assert (refused.returncode, "did not take" in refused.stderr) == (1, True)
    assert "s3cr3t" not in refused.stdout + refused.stderr
    wrong = here("alert", **more | {"OTCPIPE_ALERT_URLS": "nonsense://s3cr3t"})
    assert (wrong.returncode, "number 1 of OTCPIPE_ALERT_URLS" in wrong.stderr) == (2, True)
    assert "s3cr3t" not in wrong.stderr
    assert here("alert", **more | {"OTCPIPE_ALERT_URLS": ""}).returncode == 2
