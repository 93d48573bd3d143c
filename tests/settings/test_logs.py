"""Logs: their format, their fields, and what they never contain."""

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from otcpipe import resources
from otcpipe.broker.actors import send
from otcpipe.pipeline import definition, ledger
from otcpipe.pipeline.ledger import Run
from otcpipe.records import Partition
from otcpipe.settings import load, logs
from tests.support.pipeline import WEEK, file_text, observe

STAGES = [stage.name for stage in definition.PIPELINE[1:] if not stage.setting]  # of an observation that is stored
PASSWORD, SECRET = 'pass"word-of-postgres', "secret-key-of-s3"
SETTINGS = {
    "OTCPIPE_DATABASE_URL": "postgresql://otcpipe:pass%22word-of-postgres@db.example/otcpipe",
    "OTCPIPE_REDIS_URL": "rediss://:short@redis.example:6379/0",
    "OTCPIPE_S3_ENDPOINT": "https://s3.example",
    "OTCPIPE_S3_SECRET_KEY": SECRET,
    "OTCPIPE_FINRA_CLIENT_SECRET": "secret-of-finra",
}
LEAKS = [*SETTINGS.values(), PASSWORD, "http://user:hunter2@proxy.example/path"]
FORGED = "x\n[2026-01-01 00:00:00] [PID 1] [MainThread] [root] [INFO] all is well\x1b[2J\u202e\r\u2028\udcff"
SCRIPT = """
import logging, sys, warnings
from otcpipe import settings
from otcpipe.settings import logs
logs.configure(settings.load())
logs.FIELDS.set({"run": "1", "stage": "cache", "tier": "T1", "week": "2025-11-14", "key": "raw/x"})
log = logging.getLogger("elsewhere")
for text in sys.argv[1:]:
    log.info("connecting with %s", text)
    try:
        raise ValueError(text)
    except ValueError:
        log.exception("no luck")
warnings.warn("an old call")
log.debug("a detail")
"""


def printed(form: str, *texts: str) -> list[str]:
    environ = SETTINGS | {"OTCPIPE_LOG": form, "OTCPIPE_HOME": "/nowhere"}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, *texts], env=environ, capture_output=True, text=True, check=True
    )
    assert done.stdout == ""
    return done.stderr.splitlines()


def test_json_has_a_line_an_object_with_time_level_and_the_runs_fields() -> None:
    lines = [json.loads(line) for line in printed("json", "a server")]
    assert [line["level"] for line in lines] == ["INFO", "ERROR", "WARNING"]
    assert lines[0]["message"] == "connecting with a server"
    assert lines[0]["time"].endswith("+00:00")
    assert "Traceback" in lines[1]["exc_info"]
    fields = {"run": "1", "stage": "cache", "tier": "T1", "week": "2025-11-14", "key": "raw/x"}
    assert all(fields.items() <= line.items() for line in lines)


def test_text_is_dramatiqs_own_form_with_the_runs_fields_after_it() -> None:
    first = printed("text", "a server")[0]
    assert first.startswith("[")
    assert (
        "[elsewhere] [INFO] connecting with a server (run=1 stage=cache tier=T1 week=2025-11-14 key=raw/x)" in first
    )


@pytest.mark.parametrize("form", ["text", "json"])
def test_no_secret_gets_into_a_log_in_a_message_or_a_traceback(form: str) -> None:
    text = "\n".join(printed(form, *LEAKS))
    for secret in ("word-of-postgres", "short", SECRET, "secret-of-finra", "hunter2"):
        assert secret not in text
    for kept in ("db.example/otcpipe", "redis.example:6379", "proxy.example/path", "https://s3.example"):
        assert kept in text


def test_a_password_in_the_query_of_a_url_is_a_secret_too() -> None:
    found = load(
        {"OTCPIPE_HOME": "/nowhere", "OTCPIPE_DATABASE_URL": "postgresql://db/otcpipe?user=u&password=a%20b"}
    )
    assert found.secrets() == {"a b"}


def test_every_line_of_a_worker_names_its_run_while_a_stage_runs(
    environment: dict[str, str],
    workers: Callable[..., "subprocess.Popen[bytes]"],
    sql: Callable[..., list[tuple[Any, ...]]],
    tmp_path: Path,
) -> None:
    run = observe(file_text([("A", "AAAA", 1, 1)]), Partition(WEEK, "OTCE"))
    send(run)
    workers(OTCPIPE_LOG="json")
    deadline = time.monotonic() + 30
    while sql("select state from otc.stage_run where stage = %s", STAGES[-1]) != [("done",)]:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    resources.store().discard(str(run.key))
    again = Run(run.stage, run.key, request="again")
    ledger.request(resources.database(), again)
    send(again)  # which fails: what it reads is gone
    log = tmp_path / "worker0.log"
    while "unhandled exception" not in log.read_text() and "expected exception" not in log.read_text():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    text = log.read_text()
    lines = [json.loads(line) for line in text.splitlines() if not line.startswith("[")]  # of the main process
    ends = [line for line in lines if line["logger"] == "otcpipe.pipeline.execution"]
    assert [line["stage"] for line in ends] == STAGES
    assert (ends[0]["run"], ends[0]["key"], ends[0]["tier"], ends[0]["week"]) == (
        run.message_id, str(run.key), "OTCE", str(WEEK)
    )  # fmt: skip
    assert ends[0]["counts"] == {"bytes": ends[0]["counts"]["bytes"]}
    (failure,) = [line for line in lines if "Failed to process" in line["message"]]
    assert (failure["run"], failure["stage"]) == (again.message_id, "cache")
    secrets = load(environment | {"OTCPIPE_HOME": "/nowhere"}).secrets()
    assert secrets
    assert not [secret for secret in secrets if secret in text]
    assert logs.FIELDS.get() == {}


@pytest.mark.parametrize("form", ["text", "json"])
def test_no_text_from_outside_forges_a_line_or_reaches_a_terminal_raw(form: str) -> None:
    lines = printed(form, FORGED)
    assert not [line for line in lines if "all is well" in line and line.startswith("[2026-01-01 00:00:00]")]
    if form == "json":
        texts = [text for line in lines for text in json.loads(line).values() if isinstance(text, str)]
        lines = [part for text in texts for part in text.split("\n")]
    assert not [line for line in lines if not line.isprintable()]
    assert [line for line in lines if "all is well" in line]
