"""Who gets nothing: another user of the machine, another site, another name of this address, and who writes."""

import http.client
import json
import os
import subprocess
from collections.abc import Mapping
from urllib.parse import urlsplit

import psycopg
import pytest

from otcpipe import resources
from otcpipe.errors import Invalid, OtcpipeError
from otcpipe.web import serving
from otcpipe.web.reading import Reading
from tests.stack.strangers import identity
from tests.web.conftest import TOKEN, Site

ASK = 'exec 3<>"/dev/tcp/127.0.0.1/$1" && printf "GET %s HTTP/1.0\\r\\n\\r\\n" "$2" >&3 && head -n 1 <&3'
OPENBB = "https://pro.openbb.co"
PATHS = ("/", "/api/v1/venues", "/static/style.css", "/openapi.json", "/operations")


def asked(site: Site, path: str, **headers: str) -> tuple[int, Mapping[str, str]]:
    found = site.get(
        path, headers={name.replace("_", "-"): text for name, text in headers.items()}, allow_redirects=False
    )
    return found.status_code, found.headers


@pytest.mark.parametrize("path", PATHS)
def test_another_user_of_the_machine_gets_nothing_without_the_token(path: str, site: Site) -> None:
    def status(address: str) -> str:
        command = ["/bin/bash", "-c", ASK, "ask", str(urlsplit(site.origin).port), address]
        done = subprocess.run(
            command,
            cwd="/",
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
            **identity(),  # type: ignore[call-overload]
        )
        return str(done.stdout.split()[1])

    is_other = os.geteuid() == 0  # only root can become another user; others ask as themselves
    assert status(path) == ("401" if is_other else "200")
    assert status(f"{path}?token={TOKEN}") == "200"
    assert status(f"{path}?token={TOKEN[:-1]}") == status(path)


@pytest.mark.parametrize("path", PATHS)
def test_another_name_of_this_address_gets_nothing(path: str, site: Site) -> None:
    assert asked(site, path, Host="rebound.example")[0] == 401
    assert asked(site, path, Host=f"localhost:{urlsplit(site.origin).port}")[0] == 200


@pytest.mark.parametrize("path", PATHS)
def test_another_site_gets_nothing_but_its_readers_may_follow_a_link(path: str, site: Site) -> None:
    assert asked(site, path, Origin="https://evil.example")[0] == 403
    assert asked(site, path, Sec_Fetch_Site="cross-site", Sec_Fetch_Mode="no-cors", Sec_Fetch_Dest="script")[0] == 403
    assert (
        asked(site, path, Sec_Fetch_Site="cross-site", Sec_Fetch_Mode="navigate", Sec_Fetch_Dest="iframe")[0] == 403
    )
    link = {"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "navigate", "Sec_Fetch_Dest": "document"}
    assert asked(site, path, **link)[0] == 200


def test_openbb_may_read_the_api_and_no_page(site: Site) -> None:
    status, headers = asked(site, "/api/v1/venues", Origin=OPENBB, Sec_Fetch_Site="cross-site")
    assert (status, headers["Access-Control-Allow-Origin"]) == (200, OPENBB)
    status, headers = asked(site, "/operations", Origin=OPENBB, Sec_Fetch_Site="cross-site")
    assert (status, "Access-Control-Allow-Origin" in headers) == (403, False)
    assert "Access-Control-Allow-Origin" not in asked(site, "/api/v1/venues")[1]


@pytest.mark.parametrize(("origin", "status"), [(OPENBB, 204), ("https://evil.example", 403), ("null", 403)])
def test_a_preflight_is_answered_for_openbb_alone(origin: str, status: int, site: Site) -> None:
    parts = urlsplit(site.origin)
    connection = http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=30)
    connection.request(
        "OPTIONS", "/api/v1/venues", headers={"Origin": origin, "Access-Control-Request-Method": "GET"}
    )
    found = connection.getresponse()
    assert (found.status, found.headers["Access-Control-Allow-Origin"]) == (status, origin if status == 204 else None)
    connection.close()


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "TRACE"])
def test_no_method_writes(method: str, site: Site) -> None:
    parts = urlsplit(site.origin)
    connection = http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=30)
    connection.request(method, "/api/v1/venues")
    found = connection.getresponse()
    assert (found.status, json.loads(found.read())["status"]) == (405, 405)
    connection.close()


def test_a_token_in_the_address_becomes_a_cookie_that_no_script_reads(site: Site) -> None:
    status, headers = asked(site, f"/venues?scope=ALL&token={TOKEN}", Accept="text/html", Host="name.example")
    assert (status, headers["Location"]) == (303, "/venues?scope=ALL")
    assert "HttpOnly" in headers["Set-Cookie"]
    assert "SameSite=strict" in headers["Set-Cookie"]
    assert asked(site, "/venues", Host="name.example", Cookie=f"otcpipe_token={TOKEN}")[0] == 200
    assert asked(site, "/venues", Host="name.example", Authorization=f"Bearer {TOKEN}")[0] == 200
    assert asked(site, "/venues", Host="name.example", Authorization="Bearer wrong")[0] == 401


def test_every_answer_keeps_a_browser_safe(site: Site) -> None:
    for path in (*PATHS, "/none", "/api/v1/none"):
        headers = asked(site, path)[1]
        assert "default-src 'none'" in headers["Content-Security-Policy"]
        assert "unsafe" not in headers["Content-Security-Policy"]
        assert headers["X-Content-Type-Options"] == "nosniff"


def test_beyond_this_machine_a_token_is_needed(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = resources.settings()
    monkeypatch.setitem(settings.values, "WEB_TOKEN", "")
    with pytest.raises(Invalid, match="OTCPIPE_WEB_TOKEN"):
        serving.prepare(settings, "0.0.0.0", 0)
    with pytest.raises(Invalid, match="cannot be served on 192.0.2.1:0"):
        monkeypatch.setitem(settings.values, "WEB_TOKEN", TOKEN)
        serving.prepare(settings, "192.0.2.1", 0)


@pytest.mark.parametrize(
    "statement",
    ["create table otc.x ()", "delete from otc.capture", "set transaction read write; delete from otc.reject"],
)
def test_the_connection_of_the_pages_cannot_write(statement: str, site: Site) -> None:
    reading = Reading(resources.settings()["DATABASE_URL"])
    with (
        pytest.raises((psycopg.Error, OtcpipeError), match=r"read-only|permission denied"),
        reading.database.transaction() as transaction,
    ):
        transaction.script(statement)
    reading.close()
