"""Publish the histories as a lake of Parquet files."""

from rich.progress import Progress

from otcpipe import resources, weeks
from otcpipe.cli.console import console, say
from otcpipe.cli.history import build_histories
from otcpipe.errors import Invalid
from otcpipe.export import lake, target
from otcpipe.metrics import catalog
from otcpipe.records import ATTRIBUTION
from otcpipe.text.counting import counted


def publish(tables: list[str], place: str | None, first: str | None) -> None:
    """Write what changed of the histories of some tables, or of all, to a folder or the object store."""
    settings = resources.settings()
    place = place or settings["PUBLISH"]
    if not place:
        raise Invalid("Say where to publish: --to DIR or --to s3://BUCKET/PREFIX, or set OTCPIPE_PUBLISH.")
    chosen = target.of(place, settings)
    names = [catalog.table(name).history().name.removesuffix("_history") for name in tables] or catalog.stored()
    begin, _ = weeks.parse_span(first, None, settings.now())
    build_histories([name for name in names if name != catalog.RECORDS] if tables else None, begin, None)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("publishing", total=None)
        written = lake.publish(
            resources.database(),
            chosen,
            names,
            begin,
            report=lambda done, of: progress.update(task, completed=done, total=of),
        )
    say(f"{counted(written, 'file')} written to {place}." if written else f"{place} is up to date.", ATTRIBUTION)
