"""FINRA's API over HTTP: one polite request at a time; what comes back is a page, or a reason why not."""

import json
import time
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from email.utils import parsedate_to_datetime
from importlib.metadata import version
from threading import Lock
from typing import Any, TypeVar
from urllib.parse import urlsplit

import requests
from tenacity import RetryCallState, Retrying, retry_if_exception, stop_after_attempt, wait_exponential_jitter

from otcpipe.errors import Defective, Invalid, Permanent
from otcpipe.records import API_FIELDS, TIERS, Page, Partition
from otcpipe.settings import Settings
from otcpipe.weeks import week_ending

DATA = "/data/group/otcMarket/name/{dataset}"
PARTITIONS = "/partitions/group/otcMarket/name/weeklySummary"
ROLLING, HISTORIC = "weeklySummary", "weeklySummaryHistoric"
PAGE = 5000  # rows; more is clamped in silence
# a total order, so that pages neither overlap nor leave gaps: the identity of a row (FINRA.md fact 10), and its name
ORDER = ("issueSymbolIdentifier", "summaryTypeCode", "MPID", "firmCRDNumber", "issueName", "productTypeCode")
TIMEOUT = (5.0, 60.0)  # seconds to connect, and between two bytes
ATTEMPTS = 6
LONGEST_WAIT = 120.0  # seconds; a server that asks for more is asked again later, by the stage's own retries
TOKEN_MARGIN = 60.0
BOM = b"\xef\xbb\xbf"
OK, NO_CONTENT, BAD_REQUEST, UNAUTHORIZED, FORBIDDEN, TOO_MANY = 200, 204, 400, 401, 403, 429


T = TypeVar("T")


class Finra:
    """A client; `wait_turn` blocks until the rate limit allows one more request."""

    def __init__(
        self,
        settings: Settings,
        wait_turn: Callable[[], None],
        timeout: tuple[float, float] = TIMEOUT,
        pause: float = 0.5,
    ) -> None:
        self._settings = settings
        self._wait_turn = wait_turn
        self._timeout = timeout
        self._pause = pause
        self._token, self._token_until, self._lock = "", 0.0, Lock()
        self._session = requests.Session()
        self._session.trust_env = False  # no credentials from ~/.netrc, and no proxy unasked
        self._session.mount("http", requests.adapters.HTTPAdapter(pool_maxsize=16))
        contact = settings["CONTACT"]
        self._session.headers["User-Agent"] = f"otcpipe/{version('otcpipe')}" + (f" ({contact})" if contact else "")

    def page(self, partition: Partition, offset: int, limit: int = PAGE, dataset: str = ROLLING) -> Page:
        """The rows from an offset on, as many as the server likes to give; none where there are none."""
        body = _body(partition, offset, limit, is_sorted=dataset == ROLLING)
        return self._asked("POST", DATA.format(dataset=dataset), body, self._read)

    def partitions(self) -> set[Partition]:
        """What the API has, strays left out."""
        answer = self._asked("GET", PARTITIONS, None, lambda response: response.json())
        try:
            listed = [tuple(entry["partitions"]) for entry in answer["availablePartitions"]]
        except (TypeError, KeyError):
            raise Defective("FINRA's list of partitions is not a list of partitions.") from None
        return {Partition(week_ending(date.fromisoformat(day)), tier) for day, tier in listed if tier in TIERS}

    def _asked(self, method: str, path: str, body: object, read: Callable[[requests.Response], T]) -> T:
        """Ask, and ask again while the fault may pass; raises Defective when it does not."""
        waits = Retrying(
            retry=retry_if_exception(_may_pass),
            stop=stop_after_attempt(ATTEMPTS),
            wait=self._wait,
            reraise=True,
        )
        try:
            found: T = waits(self._ask, method, path, body, read)
        except requests.RequestException as error:
            where = urlsplit(self._settings["FINRA_URL"]).netloc
            raise Defective(f"FINRA at {where} does not answer: {type(error).__name__}.") from error
        return found

    def _ask(self, method: str, path: str, body: object, read: Callable[[requests.Response], T]) -> T:
        url = self._settings["FINRA_URL"].rstrip("/") + path
        accept = "application/json" if self._is_json or body is None else "text/plain"
        headers = {"Accept": accept} | self._authorization()
        self._wait_turn()
        response = self._session.request(
            method, url, json=body, headers=headers, timeout=self._timeout, allow_redirects=False
        )
        if response.status_code == UNAUTHORIZED and self._token:
            self._token = ""  # it ran out before its time: the next attempt asks for another
            raise Defective("FINRA no longer accepts the token.")
        _check(response)
        try:
            return read(response)
        except ValueError:
            raise Defective("FINRA answered with something that is no data.") from None

    def _wait(self, state: RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        asked = getattr(error, "retry_after", None)
        usual = wait_exponential_jitter(multiplier=self._pause, max=30, jitter=self._pause)(state)
        return usual if asked is None else float(asked)

    @property
    def _is_json(self) -> bool:
        return self._settings["FINRA_FORMAT"] == "json"

    def _read(self, response: requests.Response) -> Page:
        if response.status_code == NO_CONTENT:
            return Page(b"", (), 0, "")
        request_id = response.headers.get("FINRA-api-request-id", "")
        header, rows = _json_rows(response.content) if self._is_json else _text_rows(response.content)
        total = response.headers.get("Record-Total", "0" if not rows and self._is_json else "")
        if not total.isdigit():
            raise Defective("FINRA's answer lacks Record-Total.")
        return Page(header, rows, int(total), request_id)

    def _authorization(self) -> dict[str, str]:
        if not self._settings["FINRA_CLIENT_ID"]:
            return {}
        for name in ("FINRA_URL", "FINRA_TOKEN_URL"):
            where = urlsplit(self._settings[name])
            if where.scheme != "https" and where.hostname not in ("127.0.0.1", "localhost", "::1"):
                raise Invalid(f"OTCPIPE_{name} must be https, since credentials are sent there.")
        with self._lock:
            if not self._token or time.monotonic() > self._token_until:
                self._renew()
            return {"Authorization": f"Bearer {self._token}"}

    def _renew(self) -> None:
        response = self._session.post(
            self._settings["FINRA_TOKEN_URL"],
            params={"grant_type": "client_credentials"},
            auth=(self._settings["FINRA_CLIENT_ID"], self._settings["FINRA_CLIENT_SECRET"]),
            timeout=self._timeout,
            allow_redirects=False,
        )
        if response.status_code == BAD_REQUEST:
            raise Permanent("FINRA refuses OTCPIPE_FINRA_CLIENT_ID with its secret.")
        _check(response)
        try:
            answer = response.json()
            self._token = str(answer["access_token"])
            self._token_until = time.monotonic() + float(answer["expires_in"]) - TOKEN_MARGIN
        except (ValueError, KeyError, TypeError):
            raise Defective("FINRA's answer to the credentials holds no token.") from None


def _body(partition: Partition, offset: int, limit: int, *, is_sorted: bool) -> dict[str, object]:
    """No `fields`: all come then, and so do those that FINRA may add one day."""
    keys = {"weekStartDate": str(partition.week_start), "tierIdentifier": partition.tier}
    body: dict[str, object] = {
        "limit": limit,
        "offset": offset,
        "compareFilters": [
            {"fieldName": name, "fieldValue": value, "compareType": "EQUAL"} for name, value in keys.items()
        ],
        "delimiter": "|",
        "quoteValues": False,
    }
    return body | ({"sortFields": list(ORDER)} if is_sorted else {})


def _may_pass(error: BaseException) -> bool:
    """Whether to ask again now; a server that asks for a long pause gets one, from the stage's own retries."""
    is_long = isinstance(error, Defective) and (error.retry_after or 0) > LONGEST_WAIT
    return isinstance(error, Defective | requests.RequestException) and not is_long


def _check(response: requests.Response) -> None:
    """Raises Permanent for what no repetition mends, Defective for what one may."""
    status = response.status_code
    if status in (OK, NO_CONTENT):
        return
    if status in (UNAUTHORIZED, FORBIDDEN):
        raise Permanent("FINRA asks for credentials: set OTCPIPE_FINRA_CLIENT_ID and OTCPIPE_FINRA_CLIENT_SECRET.")
    if status == BAD_REQUEST:
        raise Permanent(f"FINRA refuses the request: {_message(response)}")
    raise Defective(f"FINRA answered with status {status}.", _pause(response.headers.get("Retry-After", "")))


def _pause(text: str) -> float | None:
    """Seconds, from either form of Retry-After (RFC 9110, 10.2.3)."""
    if text.isdigit():
        return float(text)
    try:
        return max(0.0, (parsedate_to_datetime(text) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):
        return None


def _message(response: requests.Response) -> str:
    try:
        return str(response.json()["message"])[:300]
    except (ValueError, KeyError, TypeError):
        return "without a message."


def _text_rows(content: bytes) -> tuple[bytes, tuple[bytes, ...]]:
    lines = content.removeprefix(BOM).replace(b"\r\n", b"\n").rstrip(b"\n").split(b"\n")
    if b"|" not in lines[0]:
        raise ValueError
    return lines[0], tuple(lines[1:])


def _json_rows(content: bytes) -> tuple[bytes, tuple[bytes, ...]]:
    """The same as text: numbers with their own digits, nulls as nothing, columns in FINRA's order."""
    answer = json.loads(content, parse_float=Decimal)
    if not isinstance(answer, list) or not all(isinstance(row, dict) for row in answer):
        raise ValueError
    columns = list(dict.fromkeys(name for row in answer for name in row)) or list(API_FIELDS)
    return "|".join(columns).encode(), tuple(_line(row, columns) for row in answer)


def _line(row: Mapping[str, Any], columns: list[str]) -> bytes:
    texts = [_text(row.get(name)) for name in columns]
    if any("|" in text or "\n" in text for text in texts):
        raise Permanent("FINRA's JSON has a delimiter inside a value: fetch text instead (OTCPIPE_FINRA_FORMAT).")
    return "|".join(texts).encode()


def _text(value: object) -> str:
    return "" if value is None else format(value, "f") if isinstance(value, Decimal) else str(value)
