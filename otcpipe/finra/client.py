"""The client of FINRA's API: obeys the rate limit, identifies itself, and retries transient faults."""

from collections.abc import Callable
from datetime import date
from functools import partial
from importlib.metadata import version
from typing import TypeVar

from tenacity import RetryCallState, Retrying, retry_if_exception, stop_after_attempt, wait_exponential_jitter

from otcpipe.datasets import TIERS, WEEKLY
from otcpipe.errors import Defective
from otcpipe.finra.credentials import Credentials
from otcpipe.finra.limits import LIMIT, TimedOut, TooLarge
from otcpipe.finra.pages import page
from otcpipe.finra.responses import UNAUTHORIZED, check, is_from_finra, load_json
from otcpipe.finra.transport import Answer, Transport
from otcpipe.records import Page, Partition
from otcpipe.settings import Settings
from otcpipe.weeks import week_ending

ROLLING, HISTORIC = WEEKLY.endpoint, WEEKLY.historic
DATA = f"/data/group/{WEEKLY.group}/name/{{dataset}}"
PARTITIONS = f"/partitions/group/{WEEKLY.group}/name/{ROLLING}"
TIMEOUT = (4.0, 60.0)  # seconds to connect, and for the whole answer
ATTEMPTS = 6
MAX_WAIT = 120.0  # seconds; if the server asks for a longer pause, the stage is retried instead
T = TypeVar("T")


class Finra:
    """A client; `wait_turn` blocks until the rate limit allows one more request.

    Requests raise Defective for a fault that may pass, after the last attempt, and Permanent for one that does not.
    """

    def __init__(
        self,
        settings: Settings,
        wait_turn: Callable[[], None],
        timeout: tuple[float, float] = TIMEOUT,
        pause: float = 0.5,
        attempts: int = ATTEMPTS,
    ) -> None:
        self._settings = settings
        self._wait_turn = wait_turn
        self._pause = pause
        self._attempts = attempts
        contact = settings["CONTACT"]
        user_agent = f"otcpipe/{version('otcpipe')}" + (f" ({contact})" if contact else "")
        self._transport = Transport(user_agent, timeout, settings["FINRA_PROXY"], settings["CA_BUNDLE"])
        self._session = self._transport.session
        self._credentials = Credentials(settings, self._transport)

    def page(
        self, partition: Partition, offset: int, limit: int, dataset: str = ROLLING, *, is_json: bool | None = None
    ) -> Page:
        """Return the rows from an offset on, up to `limit` of them; the server may return fewer, or none at the end.

        Rows are requested as JSON or text, by default as OTCPIPE_FINRA_FORMAT says.
        """
        is_json = self._settings["FINRA_FORMAT"] == "json" if is_json is None else is_json
        body = _body(partition, offset, limit, is_sorted=dataset == ROLLING)
        accept = "application/json" if is_json else "text/plain"
        read = partial(page, is_json=is_json)
        return self._request("POST", DATA.format(dataset=dataset), body, accept, read)

    def partitions(self) -> set[Partition]:
        """Return the partitions that the API lists, without those of unknown tiers."""
        return self._request("GET", PARTITIONS, None, "application/json", _partitions)

    def _request(self, method: str, path: str, body: object, accept: str, read: Callable[[Answer], T]) -> T:
        """Send a request, again while the fault may pass; raises Defective after the last attempt."""
        retrying = Retrying(
            retry=retry_if_exception(_is_transient),
            stop=stop_after_attempt(self._attempts),
            wait=self._wait,
            sleep=lambda seconds: LIMIT.get().pause(seconds),
            reraise=True,
        )
        found: T = retrying(self._send, method, path, body, accept, read)
        return found

    def _send(self, method: str, path: str, body: object, accept: str, read: Callable[[Answer], T]) -> T:
        url = self._settings["FINRA_URL"].rstrip("/") + path
        credentials = self._credentials.header()
        LIMIT.get().check()
        self._wait_turn()
        LIMIT.get().check()
        answer = self._transport.send(method, url, json=body, headers={"Accept": accept} | credentials)
        if answer.status == UNAUTHORIZED and is_from_finra(answer) and self._credentials.note_refused(credentials):
            raise Defective("FINRA no longer accepts the token.")  # the next attempt gets a new one
        check(answer, has_credentials=bool(credentials))
        self._credentials.note_accepted()
        try:
            return read(answer)
        except ValueError:
            raise Defective("FINRA's answer is not data.") from None

    def _wait(self, state: RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        requested = getattr(error, "retry_after", None)
        usual = wait_exponential_jitter(multiplier=self._pause, max=30, jitter=self._pause)(state)
        return usual if requested is None else float(requested)


def _is_transient(error: BaseException) -> bool:
    """Return whether to retry here; a long pause that the server asks for is left to the retries of the stage."""
    is_final = isinstance(error, TimedOut | TooLarge)
    return isinstance(error, Defective) and not is_final and (error.retry_after or 0) <= MAX_WAIT


def _partitions(answer: Answer) -> set[Partition]:
    try:
        listed = [tuple(entry["partitions"]) for entry in load_json(answer.body)["availablePartitions"]]
        return {Partition(week_ending(date.fromisoformat(day)), tier) for day, tier in listed if tier in TIERS}
    except (TypeError, KeyError, OverflowError):
        raise Defective("FINRA's list of partitions is not a list of partitions.") from None


def _body(partition: Partition, offset: int, limit: int, *, is_sorted: bool) -> dict[str, object]:
    """Return the query; without `fields`, FINRA returns all columns, including those it may add."""
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
    return body | ({"sortFields": list(WEEKLY.identity)} if is_sorted else {})
