"""The client: asks at the rate that is allowed, says who it is, and asks again while a fault may pass."""

from collections.abc import Callable
from datetime import date
from functools import partial
from importlib.metadata import version
from typing import TypeVar

from tenacity import RetryCallState, Retrying, retry_if_exception, stop_after_attempt, wait_exponential_jitter

from otcpipe.datasets import TIERS, WEEKLY
from otcpipe.errors import Defective
from otcpipe.finra.credentials import Credentials
from otcpipe.finra.limits import LIMIT, GivenUp, TooLarge
from otcpipe.finra.pages import page
from otcpipe.finra.responses import UNAUTHORIZED, check, loaded, says_finra
from otcpipe.finra.transport import Answer, Transport
from otcpipe.records import Page, Partition
from otcpipe.settings import Settings
from otcpipe.weeks import week_ending

ROLLING, HISTORIC = WEEKLY.endpoint, WEEKLY.historic
DATA = f"/data/group/{WEEKLY.group}/name/{{dataset}}"
PARTITIONS = f"/partitions/group/{WEEKLY.group}/name/{ROLLING}"
TIMEOUT = (4.0, 60.0)  # seconds to connect, and for a whole answer from its first byte to its last
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
        self._pause = pause
        contact = settings["CONTACT"]
        user_agent = f"otcpipe/{version('otcpipe')}" + (f" ({contact})" if contact else "")
        self._transport = Transport(user_agent, timeout)
        self._session = self._transport.session
        self._credentials = Credentials(settings, self._transport)

    def page(
        self, partition: Partition, offset: int, limit: int, dataset: str = ROLLING, *, is_json: bool | None = None
    ) -> Page:
        """The rows from an offset on, as many as the server likes to give; none where there are none.

        They are asked for as JSON or as text, by default as the settings say.
        """
        is_json = self._settings["FINRA_FORMAT"] == "json" if is_json is None else is_json
        body = _body(partition, offset, limit, is_sorted=dataset == ROLLING)
        accept = "application/json" if is_json else "text/plain"
        read = partial(page, is_json=is_json)
        return self._asked("POST", DATA.format(dataset=dataset), body, accept, read)

    def partitions(self) -> set[Partition]:
        """What the API has, strays left out."""
        return self._asked("GET", PARTITIONS, None, "application/json", _partitions)

    def _asked(self, method: str, path: str, body: object, accept: str, read: Callable[[Answer], T]) -> T:
        """Ask, and ask again while the fault may pass; raises Defective when it does not."""
        waits = Retrying(
            retry=retry_if_exception(_may_pass),
            stop=stop_after_attempt(ATTEMPTS),
            wait=self._wait,
            sleep=lambda seconds: LIMIT.get().pause(seconds),
            reraise=True,
        )
        found: T = waits(self._ask, method, path, body, accept, read)
        return found

    def _ask(self, method: str, path: str, body: object, accept: str, read: Callable[[Answer], T]) -> T:
        url = self._settings["FINRA_URL"].rstrip("/") + path
        credentials = self._credentials.header()
        LIMIT.get().check()
        self._wait_turn()
        LIMIT.get().check()
        answer = self._transport.send(method, url, json=body, headers={"Accept": accept} | credentials)
        if answer.status == UNAUTHORIZED and says_finra(answer) and self._credentials.refused(credentials):
            raise Defective("FINRA no longer accepts the token.")  # the next attempt asks for another
        check(answer, has_credentials=bool(credentials))
        self._credentials.accepted()
        try:
            return read(answer)
        except ValueError:
            raise Defective("FINRA answered with something that is no data.") from None

    def _wait(self, state: RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        asked = getattr(error, "retry_after", None)
        usual = wait_exponential_jitter(multiplier=self._pause, max=30, jitter=self._pause)(state)
        return usual if asked is None else float(asked)


def _may_pass(error: BaseException) -> bool:
    """Whether to ask again now; a server that asks for a long pause gets one, from the stage's own retries."""
    is_final = isinstance(error, GivenUp | TooLarge)
    return isinstance(error, Defective) and not is_final and (error.retry_after or 0) <= LONGEST_WAIT


def _partitions(answer: Answer) -> set[Partition]:
    try:
        listed = [tuple(entry["partitions"]) for entry in loaded(answer.body)["availablePartitions"]]
        return {Partition(week_ending(date.fromisoformat(day)), tier) for day, tier in listed if tier in TIERS}
    except (TypeError, KeyError, OverflowError):
        raise Defective("FINRA's list of partitions is not a list of partitions.") from None


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
    return body | ({"sortFields": list(WEEKLY.identity)} if is_sorted else {})
