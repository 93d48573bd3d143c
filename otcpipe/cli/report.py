"""Write the weekly report to a file."""

from pathlib import Path

from otcpipe import report as _report
from otcpipe import resources, weeks
from otcpipe.cli.console import say
from otcpipe.cli.history import complete_if_possible
from otcpipe.report.gather import UNUSUAL
from otcpipe.storage import files


def report(week: str | None, file: Path | None) -> None:
    """Write the report of a week, the newest complete one by default; a failure leaves no partial file."""
    settings = resources.settings()
    now = settings.now()
    if file:
        files.check(file)
    asked = weeks.parse_week(week, now) if week else None
    chosen = _report.week_of(resources.database(), asked)
    if chosen:
        complete_if_possible(UNUSUAL, chosen)
    friday, page = _report.make(resources.database(), asked, now, tiers=settings.tiers)
    file = file or Path(f"otc-week-{friday}.html")
    files.write(file, page.encode())
    say(f"The week ending {friday} is in {file}, {file.stat().st_size / 1000:,.0f} kB: open it in a browser.")
