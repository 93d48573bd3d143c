"""The client: asks at the rate that is allowed, says who it is, and asks again while a fault may pass."""

from collections.abc import Callable
from datetime import date
from functools import partial
from importlib.metadata import version
from typing import TypeVar
from urllib.parse import urlsplit

import requests
from tenacity import RetryCallState, Retrying, retry_if_exception, stop_after_attempt, wait_exponential_jitter

from otcpipe.errors import Defective
from otcpipe.finra.answers import UNAUTHORIZED, check, page
from otcpipe.finra.credentials import Credentials
from otcpipe.records import TIERS, Page, Partition
from otcpipe.settings import Settings
from otcpipe.weeks import week_ending

DATA = "/data/group/otcMarket/name/{dataset}"
PARTITIONS = "/partitions/group/otcMarket/name/weeklySummary"
ROLLING, HISTORIC = "weeklySummary", "weeklySummaryHistoric"
# a total order, so that pages neither overlap nor leave gaps: the identity of a row (FINRA.md fact 10)
ORDER = ("issueSymbolIdentifier", "summaryTypeCode", "MPID", "firmCRDNumber", "issueName", "productTypeCode")
TIMEOUT = (5.0, 60.0)  # seconds to connect, and between two bytes
ATTEMPTS = 6
LONGEST_WAIT = 120.0  # seconds; a server that asks for more is asked again later, by the stage's own retries
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
        self._session = requests.Session()
        self._session.trust_env = False  # no credentials from ~/.netrc, and no proxy unasked
        self._session.mount("http", requests.adapters.HTTPAdapter(pool_maxsize=16))
        contact = settings["CONTACT"]
        self._session.headers["User-Agent"] = f"otcpipe/{version('otcpipe')}" + (f" ({contact})" if contact else "")
        self._credentials = Credentials(settings, self._session, timeout)

    def page(self, partition: Partition, offset: int, limit: int, dataset: str = ROLLING) -> Page:
        """The rows from an offset on, as many as the server likes to give; none where there are none."""
        body = _body(partition, offset, limit, is_sorted=dataset == ROLLING)
        return self._asked("POST", DATA.format(dataset=dataset), body, partial(page, is_json=self._is_json))

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
        headers = {"Accept": accept} | self._credentials.header()
        self._wait_turn()
        response = self._session.request(
            method, url, json=body, headers=headers, timeout=self._timeout, allow_redirects=False
        )
        if response.status_code == UNAUTHORIZED and self._credentials.drop():  # the next attempt asks for another
            raise Defective("FINRA no longer accepts the token.")
        check(response)
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


def _may_pass(error: BaseException) -> bool:
    """Whether to ask again now; a server that asks for a long pause gets one, from the stage's own retries."""
    is_long = isinstance(error, Defective) and (error.retry_after or 0) > LONGEST_WAIT
    return isinstance(error, Defective | requests.RequestException) and not is_long


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
