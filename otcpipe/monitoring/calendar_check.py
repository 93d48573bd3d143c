"""The check of the exchange's calendar: how old its library is, and whether stored weeks follow it."""

from datetime import UTC, datetime, timedelta
from importlib.metadata import distribution
from pathlib import Path

from otcpipe.monitoring.context import CheckContext, Verdict
from otcpipe.pipeline import sessions
from otcpipe.text.counting import counted

LIBRARY = "holidays"
OLD = timedelta(days=183)  # it has a release a month


def calendar(context: CheckContext) -> Verdict:
    """Warn if the calendar was installed long ago, or if weeks were stored by another one."""
    library, installed = distribution(LIBRARY), installed_at()
    age = context.settings.now() - installed
    finding = f"The exchange's calendar ({LIBRARY} {library.version}) was installed on {installed:%Y-%m-%d}"
    if age > OLD:
        advice = f"Update it: `pip install --upgrade {LIBRARY}`, then `otcpipe reconcile`."
        return "warn", f"{finding}: it knows no closing that was announced in the {age.days} days since.", advice
    outdated = sessions.outdated(context.database)
    if outdated:
        weeks = f"{counted(len(outdated), 'week')} ({', '.join(map(str, outdated[:3]))})"
        return "warn", f"{finding}. Other trading days are stored of {weeks}.", "Run `otcpipe reconcile`."
    return "ok", f"{finding}; all stored weeks follow it.", ""


def installed_at() -> datetime:
    """Return when the calendar's library was installed, which is not before it was made."""
    library = distribution(LIBRARY)
    metadata = Path(str(library.locate_file(f"{LIBRARY}-{library.version}.dist-info"))) / "METADATA"
    return datetime.fromtimestamp(metadata.stat().st_mtime, UTC)
