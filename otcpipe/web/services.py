"""What all requests share: the database, the symbols to search, and the pages that are kept."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from otcpipe.web.keeping import Kept
from otcpipe.web.reading import Reading
from otcpipe.web.search import Search


@dataclass(frozen=True)
class Services:
    """What all requests share."""

    reading: Reading
    search: Search
    kept: Kept


def _services(request: Request) -> Services:
    found: Services = request.app.state.services
    return found


Shared = Annotated[Services, Depends(_services)]
