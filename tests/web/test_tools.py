"""Tools for assistants: what they answer, over standard input and over HTTP, and that none of them writes."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import Any

import anyio
import pytest
import requests
from mcp import Client, StdioServerParameters

from otcpipe import resources
from otcpipe.records import ATTRIBUTION
from otcpipe.web import assistants, tools
from otcpipe.web.reading import Reading
from tests.web.conftest import TOKEN, WEEK, Site

CALLS: dict[str, dict[str, Any]] = {
    "find_symbol": {"text": "apple"},
    "symbol_weeks": {"symbol": "AAPL", "scope": "ATS", "as_of": "2025-12-16"},
    "venue_table": {"scope": "ALL"},
    "concentration": {"symbol": "AAPL"},
    "revisions": {"symbol": "AAPL"},
    "coverage": {},
    "explain": {"symbol": "AAPL", "week": str(WEEK), "limit": 1},
}


def called(server: Any, name: str, arguments: dict[str, Any]) -> Any:
    async def call() -> Any:
        async with Client(server) as client:
            return await client.call_tool(name, arguments)

    return anyio.run(call)


@pytest.fixture
def server(site: Site) -> Iterator[Any]:
    reading = Reading(resources.settings()["DATABASE_URL"])
    yield tools.create(reading)
    reading.close()


@pytest.mark.parametrize("name", CALLS)
def test_a_tool_answers_with_rows_and_where_they_come_from(name: str, server: Any) -> None:
    found = called(server, name, CALLS[name])
    assert not found.is_error, found.content
    answer = found.structured_content
    assert answer["rows"]
    assert answer["truncated"] == (name == "explain")
    assert answer["attribution"] == ATTRIBUTION
    assert answer["as_of"].startswith("2025-12-1" if name == "symbol_weeks" else "2025-12-2")


def test_a_tool_answers_what_was_known_then(server: Any) -> None:
    rows = called(server, "symbol_weeks", CALLS["symbol_weeks"]).structured_content["rows"]
    assert (rows[0]["week_ending"], rows[0]["volume"]) == (str(WEEK), "1100.500000")


def test_tools_say_that_they_only_read_and_none_takes_sql(server: Any) -> None:
    async def listed() -> Any:
        async with Client(server) as client:
            return (await client.list_tools()).tools, client.instructions

    found, instructions = anyio.run(listed)
    assert {tool.name for tool in found} == CALLS.keys()
    assert all(tool.annotations.read_only_hint and tool.output_schema for tool in found)
    assert not any("sql" in str(tool.input_schema).lower() for tool in found)
    assert "Off-exchange is not dark pool" in instructions


@pytest.mark.parametrize(
    ("name", "arguments", "words"),
    [
        ("symbol_weeks", {"symbol": "APPL"}, "did you mean AAPL?"),
        ("venue_table", {"scope": "DARK"}, "is not a scope"),
        ("explain", {"symbol": "AAPL", "week": "soon"}, "is not a date"),
        ("symbol_weeks", {"symbol": "AAPL", "limit": 100_000}, "limit must be at most 200, not 100000."),
        ("symbol_weeks", {"symbol": "AAPL", "limit": -1}, "limit must be at least 1, not -1."),
        ("symbol_weeks", {"symbol": "AAPL", "weeks": -1}, "No parameter 'weeks': did you mean week?"),
        ("symbol_weeks", {}, "Give symbol."),
        ("coverage", {"as_of": "2025-12-16"}, "takes no as_of"),
        ("find_symbl", {}, "No tool 'find_symbl': did you mean find_symbol?"),
    ],
)
def test_a_wrong_question_is_answered_with_a_sentence(
    name: str, arguments: dict[str, Any], words: str, server: Any
) -> None:
    found = called(server, name, arguments)
    assert found.is_error
    assert words in found.content[0].text
    assert not found.content[0].text.startswith("Error executing")


def test_an_assistant_starts_it_and_talks_to_it(site: Site) -> None:
    command = StdioServerParameters(command=sys.executable, args=["-m", "otcpipe", "mcp"], env=dict(site.variables))
    assert called(command, "find_symbol", {"text": "AAPL"}).structured_content["rows"][0]["symbol"] == "AAPL"


def test_a_line_that_is_no_json_is_answered_with_a_parse_error(site: Site) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "otcpipe", "mcp"],
        input='{"jsonrpc": "2.0", "id"\n',
        env=os.environ | site.variables,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    answer = json.loads(done.stdout)
    assert (answer["error"]["code"], answer["id"]) == (-32700, None)


def test_over_http_it_answers_this_user_and_who_has_the_token(site: Site) -> None:
    server, listener = assistants.prepare(resources.settings(), "127.0.0.1", 0)
    thread = threading.Thread(target=server.run, args=([listener],))
    thread.start()
    address = f"http://127.0.0.1:{listener.getsockname()[1]}/mcp"
    try:
        assert called(address, "find_symbol", {"text": "AAPL"}).structured_content["rows"][0]["symbol"] == "AAPL"
        headers = {"Host": "rebound.example", "Accept": "application/json, text/event-stream"}
        assert requests.post(address, json={}, headers=headers, timeout=20).status_code == 401
        foreign = {"Origin": "https://evil.example", "Authorization": f"Bearer {TOKEN}"}
        assert requests.post(address, json={}, headers=foreign, timeout=20).status_code == 403
    finally:
        server.should_exit = True
        thread.join()
        listener.close()
