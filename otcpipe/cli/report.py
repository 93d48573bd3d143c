"""Write the weekly report to a file."""

from pathlib import Path
from urllib.parse import urlsplit

from otcpipe import report as _report
from otcpipe import resources, weeks
from otcpipe.cli.console import say
from otcpipe.errors import Invalid
from otcpipe.metrics.completion import complete_if_possible
from otcpipe.report.gather import UNUSUAL
from otcpipe.storage import files


def report(week: str | None, file: Path | None, server: str | None) -> None:
    """Write the report of a week, the newest complete one by default; a failure leaves no partial file.

    With the address of a `server`, symbols and venues link to its pages; raises Invalid if it is no such address.
    """
    settings = resources.settings()
    now = settings.now()
    if server:
        server = _address(server)
    if file:
        files.check_named(file)
    asked = weeks.parse_week(week, now) if week else None
    chosen = _report.week_of(resources.database(), asked)
    if chosen:
        complete_if_possible(resources.database(), UNUSUAL, chosen)
    friday, page = _report.make(resources.database(), asked, now, server, settings.tiers)
    file = file or Path(f"otc-week-{friday}.html")
    files.write(file, page.encode())
    say(f"The week ending {friday} is in {file}, {file.stat().st_size / 1000:,.0f} kB: open it in a browser.")


def _address(text: str) -> str:
    """Return the address of a server without a slash at its end."""
    try:
        parts = urlsplit(text)
    except ValueError:
        parts = urlsplit("")
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment or "@" in text:
        raise Invalid("Give the address of the pages, such as http://127.0.0.1:8421.")
    return text.rstrip("/")
