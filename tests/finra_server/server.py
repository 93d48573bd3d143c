"""The server: FINRA's weekly API on 127.0.0.1."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from threading import Thread
from types import TracebackType
from typing import Self

from .dataset import Dataset
from .faults import Fault, Faults
from .listener import Listener, Seen
from .query import parse
from .service import TOKEN_PATH, Service
from .tokens import Access, Tokens


class FinraServer:
    """Serves a dataset while its `with` block lasts.

    `faults` can be a plan or a list, and changed at run time. `most_bytes` is the cap on a page's body before
    gzip: lower it to get short pages.
    """

    def __init__(
        self,
        dataset: Dataset,
        faults: Faults | Iterable[Fault] = (),
        *,
        tokens: Tokens | None = None,
        required: bool = False,
        forbidden: bool = False,
        most_bytes: int = 3_000_000,
        empty_as_list: bool = False,
        port: int = 0,
    ) -> None:
        self.dataset = dataset
        self.faults = faults if isinstance(faults, Faults) else Faults(faults)
        self.tokens = tokens or Tokens()
        access = Access(self.tokens, required, forbidden)
        self.service = Service(dataset, self.faults, access, most_bytes=most_bytes, empty_as_list=empty_as_list)
        self._listener = Listener(self.service, port)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._listener.server_port}"

    @property
    def token_url(self) -> str:
        return self.url + TOKEN_PATH

    @property
    def requests(self) -> list[Seen]:
        """The log, in the order of arrival."""
        return self._listener.requests

    @property
    def refused(self) -> int:
        """Connections closed when they were accepted."""
        return self._listener.refused

    def __enter__(self) -> Self:
        Thread(target=self._listener.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._listener.shutdown()
        self._listener.server_close()
        self._listener.hang_up()

    def max_in_window(self, seconds: float = 1.0) -> int:
        """The most requests received in any span of so many seconds; those for tokens go to another host."""
        times = sorted(seen.at for seen in self.requests if not seen.path.startswith(TOKEN_PATH))
        most, first = 0, 0
        for last, at in enumerate(times):
            while at - times[first] >= seconds:
                first += 1
            most = max(most, last - first + 1)
        return most

    def warm(self, body: Mapping[str, object], *, as_json: bool = False, gzipped: bool = True) -> int:
        """Makes and keeps every page that this body leads to, so that they are answered at once; how many.

        Offset is advanced by the limit: lower the limit where the cap on bytes would cut pages.
        """
        query, made, total = parse(json.dumps(body).encode(), as_json=as_json), 0, 1
        while made * query.limit < total:
            page = replace(query, offset=made * query.limit)
            total = int(self.service.rows(page, gzipped, None).headers["Record-Total"])
            made += 1
        return made
