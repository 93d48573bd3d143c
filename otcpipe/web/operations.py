"""The pages about the work: coverage, partitions, queues and dead letters; the stylesheet and the script."""

from collections import defaultdict
from contextlib import suppress
from pathlib import Path

from fastapi import APIRouter, Request
from starlette.responses import FileResponse, Response

from otcpipe import resources, schedule, weeks
from otcpipe.answers import partition as partitions
from otcpipe.broker.queues import Queue, Queues
from otcpipe.datasets import TIERS
from otcpipe.errors import Unreachable
from otcpipe.monitoring import doctor
from otcpipe.pipeline import definition
from otcpipe.records import Partition
from otcpipe.storage.postgres import Database, Row
from otcpipe.web import asked
from otcpipe.web.rendering import style
from otcpipe.web.showing import Show

router = APIRouter(include_in_schema=False)
EVERY_LETTER = dict.fromkeys(("ids", "stage", "week_ending", "error", "since")) | {"every": True}
KEPT = {"Cache-Control": "private, max-age=3600"}
SCRIPT = Path(__file__).with_name("static") / "search.js"


@router.get("/coverage")
async def coverage(show: Show) -> Response:
    """Show the state of each partition, a row for each year and tier."""
    settings = resources.settings()
    now = settings.now()

    def find(database: Database) -> dict[str, object]:
        cells = partitions.states(database, now, settings.since, None, None)
        years: dict[int, dict[str, list[Row]]] = defaultdict(lambda: {tier: [] for tier in TIERS})
        for cell in cells:
            years[cell["week_ending"].year][cell["tier"]].append(cell)
        attention = [cell for cell in cells if cell["state"] in ("late", "failed", "held", "stale")]
        return {"years": dict(sorted(years.items(), reverse=True)), "attention": attention, "count": len(cells)}

    return await show("coverage.html", find, is_of_work=True)


@router.get("/partition/{week}/{tier}")
async def partition(show: Show, week: str, tier: str) -> Response:
    """Show a partition's captures, the runs of its stages, and its rejects."""
    friday, of_tier = asked.required_week(week), asked.tier(tier) or ""

    def find(database: Database) -> dict[str, object]:
        found = partitions.partition(database, Partition(friday, of_tier))
        return found | {"week": friday, "tier": of_tier, "published_on": weeks.published_on(friday, of_tier)}

    return await show("partition.html", find, is_of_work=True)


@router.get("/operations")
async def operations(show: Show, checks: bool = False) -> Response:
    """Show queues, dead letters, the schedule, and with `checks` what the doctor finds."""
    settings = resources.settings()

    def find(database: Database) -> dict[str, object]:
        return {
            "queues": _queues(settings["REDIS_URL"]),
            "runs": sorted(_rows(database, "run_figures"), key=_place),
            "letters": _rows(database, "letters", **EVERY_LETTER),
            "jobs": schedule.upcoming(database, settings, settings.now()),
            "findings": list(doctor.examine(settings)) if checks else None,
        }

    return await show.fresh("operations.html", find, is_slow=checks)


@router.get("/programs")
async def programs(request: Request, show: Show) -> Response:
    """Describe the API."""
    paths = request.app.openapi()["paths"]
    shared = {"format", "exact", "fields", "limit", "cursor"}
    rows = [
        {
            "path": path,
            "summary": of_path["get"]["description"].removeprefix("Return "),
            "parameters": [one["name"] for one in of_path["get"]["parameters"] if one["name"] not in shared],
        }
        for path, of_path in paths.items()
    ]
    origin = str(request.base_url).rstrip("/")
    return await show.fresh("programs.html", lambda _: {"operations": rows, "origin": origin})


def _place(run: Row) -> tuple[int, str]:
    """Return what sorts runs as the stages follow each other."""
    names = [stage.name for stage in definition.PIPELINE]
    return names.index(run["stage"]) if run["stage"] in names else len(names), run["state"]


def _queues(url: str) -> dict[str, Queue] | None:
    """Return the queues by stage; None if Redis does not answer."""
    with suppress(Unreachable):
        return Queues(url).all()
    return None


def _rows(database: Database, name: str, **values: object) -> list[Row]:
    with database.transaction() as transaction:
        return transaction.rows(name, **values)


@router.get("/static/style.css")
async def stylesheet() -> Response:
    """Return the style of all pages."""
    return Response(style(), media_type="text/css", headers=KEPT)


@router.get("/static/search.js")
async def script() -> Response:
    """Return the script that suggests symbols as one types."""
    return FileResponse(SCRIPT, media_type="text/javascript", headers=KEPT)
