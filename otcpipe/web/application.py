"""The web application: pages, the API, and who may ask for them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version

import anyio
from fastapi import Depends, FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware

from otcpipe.errors import OtcpipeError
from otcpipe.records import ATTRIBUTION
from otcpipe.settings import Settings
from otcpipe.web import api, operations, pages, parameters, problems, widgets
from otcpipe.web.access import Access
from otcpipe.web.keeping import Kept
from otcpipe.web.reading import Reading
from otcpipe.web.search import Search
from otcpipe.web.services import Services
from otcpipe.web.warming import keep_warm


def create(settings: Settings) -> FastAPI:
    """Return the application for these settings; it connects on the first question."""
    origins = [one.strip() for one in settings["WEB_ORIGINS"].split(",") if one.strip()]

    reading = Reading(settings["DATABASE_URL"])
    services = Services(reading, Search(reading), Kept())

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(keep_warm, services)
            yield
            tasks.cancel_scope.cancel()
        services.reading.close()

    application = FastAPI(
        title="otcpipe",
        version=version("otcpipe"),
        description=f"FINRA's weekly off-exchange volume, with every version that was published. {ATTRIBUTION}",
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
        dependencies=[Depends(parameters.only_known)],
        middleware=[
            Middleware(Access, token=settings["WEB_TOKEN"], origins=origins),
            Middleware(GZipMiddleware, minimum_size=2000, compresslevel=5),
        ],
        exception_handlers={
            OtcpipeError: problems.of_otcpipe,
            RequestValidationError: problems.of_request,
            HTTPException: problems.of_http,
            Exception: problems.of_defect,
        },
    )
    application.state.services = services
    application.include_router(api.router)
    application.include_router(widgets.router)
    application.include_router(pages.router)
    application.include_router(operations.router)
    return application
