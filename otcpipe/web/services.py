"""What all requests share: the database, the symbols to search, and the pages that are kept."""

import inspect
from dataclasses import dataclass
from typing import Annotated, Any

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


def depends(kind: type[Any]) -> Any:
    """Depend on an object of a class, made in the loop: else it is made in a thread, which takes longer."""

    async def make(**given: object) -> object:
        return kind(**given)

    vars(make)["__signature__"] = inspect.signature(kind)
    return Depends(make)


async def _services(request: Request) -> Services:
    found: Services = request.app.state.services
    return found


Shared = Annotated[Services, Depends(_services)]
