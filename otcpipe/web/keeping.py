"""Pages that are kept while the stored data are the same."""

import threading
from collections import OrderedDict

MOST_PAGES, MOST_CHARACTERS = 200, 20_000_000


class Kept:
    """The newest pages by their ETag."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pages: OrderedDict[str, str] = OrderedDict()

    def get(self, mark: str) -> str | None:
        """Return a page, None if it is not kept."""
        with self._lock:
            return self._pages.get(mark)

    def put(self, mark: str, page: str) -> None:
        """Keep a page; the oldest go."""
        with self._lock:
            self._pages[mark] = page
            while len(self._pages) > MOST_PAGES or sum(map(len, self._pages.values())) > MOST_CHARACTERS:
                self._pages.popitem(last=False)
