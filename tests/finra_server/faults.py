"""What goes wrong: faults, and the seeded plan that says at which request each one strikes."""

from collections import Counter
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from enum import StrEnum
from random import Random
from threading import Lock

from .query import Query
from .rows import FIELDS

ALWAYS = 1_000_000_000


class Kind(StrEnum):
    REFUSE = "the connection is closed when it is accepted, before any request"
    DROP = "the connection is reset instead of an answer"
    RESET = "the connection is reset in the middle of the body"
    CUT = "the connection is closed in good order in the middle of the body"
    HANG = "the answer comes so many seconds late"
    TOO_MANY = "429, with Retry-After if `retry_after` is set"
    STATUS = "`status` with a page of HTML, and Retry-After if `retry_after` is set"
    HTML = "200 with a page of HTML"
    OBJECT = "200 with a JSON object instead of rows"
    EMPTY = "204 although there are rows"
    SHORT_PAGE = "half the rows that were asked for"
    REPEATED_PAGE = "the rows of the page before, under the offset of this one"
    NO_TOTAL = "no Record-Total header"
    GROWN = "rows are added to the partition, before the answer"
    RESTATED = "a firm row and its totals change, before the answer"
    WITHDRAWN = "a firm row is withdrawn, before the answer"
    BOM = "a byte order mark before the first byte"
    CRLF = "lines that end in CR LF"
    ADDED_COLUMN = "a column that nobody knows"
    MISSING_COLUMN = "`column` is not there"
    FOREIGN_ROW = "the last row is one of the week before"
    STALE_FIRST_PAGE = "the first page as it was before the last restatement"
    TRUNCATED = "only `keep` bytes of the body (or all but -`keep`), sent as `framing` says"
    DRIP = "`keep` bytes of head and body at once, then a byte every so many seconds"
    ERROR = "`status` as FINRA's own JSON"
    WRONG_TOTAL = "Record-Total is `total`"
    BOMB = "gzip that expands to `size` bytes"
    WIDE_HEADER = "one header more, of `size` bytes"
    ODD_NUMBER = "JSON whose first notional is written as `number`"


LATER_PAGES = {Kind.REPEATED_PAGE, Kind.GROWN, Kind.RESTATED, Kind.WITHDRAWN}
"""These need a page before them: a download sees nothing of a change before its first page."""
ANYWHERE = {
    Kind.DROP,
    Kind.RESET,
    Kind.CUT,
    Kind.HANG,
    Kind.TOO_MANY,
    Kind.STATUS,
    Kind.HTML,
    Kind.OBJECT,
    Kind.TRUNCATED,
    Kind.DRIP,
    Kind.ERROR,
    Kind.BOMB,
    Kind.WIDE_HEADER,
}
"""These can strike at any path; the others only at pages of rows."""
DELIBERATE = {
    Kind.TRUNCATED,
    Kind.DRIP,
    Kind.ERROR,
    Kind.WRONG_TOTAL,
    Kind.BOMB,
    Kind.WIDE_HEADER,
    Kind.ODD_NUMBER,
}
"""These mean nothing without settings of their own, so that no random plan has them."""
STATUSES = (500, 502, 503, 504)


class Framing(StrEnum):
    LENGTH = "a Content-Length of what is sent"
    FULL_LENGTH = "a Content-Length of all that should be sent"
    CLOSE = "no length: the body ends where the connection does"
    CHUNKED = "chunks, and the last one that ends them"
    BROKEN_CHUNKS = "chunks, without the last one"


@dataclass(frozen=True)
class Fault:
    """Strikes from the `at`-th request on, with a probability, at most so many times.

    Requests are counted from the moment the fault is planned, those whose path contains `on`; a refusal
    counts connections instead. A fault that does not fit a request (a repeated page at offset 0, CRLF in
    JSON) waits for the next one, and of two that are due the first in the plan goes first.
    """

    kind: Kind
    at: int = 1
    probability: float = 1.0
    times: int = 1
    on: str = "/data/"
    seconds: float = 5.0
    status: int = 503
    retry_after: str | None = None
    column: str = "totalWeeklyTradeCount"
    seed: int = 0
    keep: int = 0
    framing: Framing = Framing.CLOSE
    in_gzip: bool = False  # what is truncated is the gzip data, not the text in it
    total: str = "10000000000000"
    size: int = 1_000_000
    number: str = "1e300000000"

    def fits(self, query: Query | None) -> bool:
        """Whether it makes sense for a page of rows, or (None) for any other request."""
        if query is None:
            return self.kind in ANYWHERE or self.kind is Kind.REFUSE
        if self.kind in LATER_PAGES:
            return query.offset > 0
        if self.kind is Kind.STALE_FIRST_PAGE:
            return query.offset == 0
        if self.kind is Kind.ODD_NUMBER:
            return query.as_json
        return self.kind is not Kind.CRLF or not query.as_json


class Faults:
    """A plan of faults. The same seed and the same order of requests give the same faults."""

    def __init__(self, faults: Iterable[Fault] = (), seed: int = 0) -> None:
        self.seed = seed
        self.struck: list[Fault] = []
        self._planned = list(faults)
        self._requests: Counter[int] = Counter()
        self._strikes: Counter[int] = Counter()
        self._lock = Lock()

    def add(self, *faults: Fault) -> None:
        with self._lock:
            self._planned += faults

    def clear(self) -> None:
        """Nothing goes wrong from now on."""
        with self._lock:
            self._planned = []
            self._requests, self._strikes = Counter(), Counter()

    def refuses(self) -> Fault | None:
        """The refusal of the connection that was just accepted."""
        return self._draw(lambda fault: fault.kind is Kind.REFUSE, None)

    def strikes(self, path: str, query: Query | None = None) -> Fault | None:
        """The fault of the request that was just read, if any."""
        return self._draw(lambda fault: fault.kind is not Kind.REFUSE and fault.on in path.lower(), query)

    def _draw(self, concerns: Callable[[Fault], bool], query: Query | None) -> Fault | None:
        with self._lock:
            concerned = [number for number, fault in enumerate(self._planned) if concerns(fault)]
            self._requests.update(concerned)
            for number in concerned:
                if self._is_due(number) and self._planned[number].fits(query):
                    self._strikes[number] += 1
                    self.struck.append(self._planned[number])
                    return self._planned[number]
        return None

    def _is_due(self, number: int) -> bool:
        fault, count = self._planned[number], self._requests[number]
        if count < fault.at or self._strikes[number] >= fault.times:
            return False
        return Random(f"{self.seed}/{number}/{count}").random() < fault.probability


def chaos(seed: int, count: int = 8, among_first: int = 60, *, without: Collection[Kind] = ()) -> Faults:
    """A random plan: so many faults, each once or twice, somewhere among the first requests.

    Waits are short. Leave out what a test does not want, such as a missing column, which no client survives.
    """
    rng = Random(seed)
    kinds = [kind for kind in Kind if kind not in without and kind not in DELIBERATE]
    faults = [
        Fault(
            rng.choice(kinds),
            at=rng.randint(1, among_first),
            times=rng.randint(1, 2),
            seconds=rng.choice((0.05, 0.3)),
            status=rng.choice(STATUSES),
            retry_after=rng.choice((None, "0", "1")),
            column=rng.choice(FIELDS),
            seed=rng.randrange(1_000_000),
        )
        for _ in range(count)
    ]
    return Faults(faults, seed)
