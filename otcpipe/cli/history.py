"""Complete the deferred metrics, and build the histories of the metrics."""

from collections.abc import Sequence
from datetime import date

from otcpipe import resources, weeks
from otcpipe.cli.console import say
from otcpipe.cli.progress import track
from otcpipe.metrics import completion
from otcpipe.metrics import history as _history
from otcpipe.text.counting import counted


def history(first: str | None, last: str | None, *, again: bool) -> None:
    """Complete these weeks, then build what is stale of the histories; with `again`, all of it."""
    begin, end = weeks.parse_span(first, last, resources.settings().now())
    if again:
        _history.forget(resources.database(), begin or date.min, end or date.max)
    completed = complete(None, begin, end)
    if completed:
        say(f"{counted(completed, 'week')} of deferred metrics were completed.")
    built = build_histories(None, begin, end)
    say(f"{counted(built, 'week')} of histories were built." if built else "All histories are up to date.")


def complete(names: list[str] | None, first: date | None, last: date | None) -> int:
    """Compute the incomplete weeks of some deferred metrics, or of all, and show the progress; return how many."""
    found = completion.incomplete(resources.database(), names, first or date.min, last or date.max)
    return sum(completion.complete_week(resources.database(), one) for one in track(found, "completing weeks"))


def build_histories(names: list[str] | None, first: date | None, last: date | None) -> int:
    """Build what is stale of some metrics, or of all, and show the progress; return how many weeks were built."""
    complete(names, first, last)
    return build_weeks(_history.stale(resources.database(), names, first or date.min, last or date.max))


def build_weeks(stale: Sequence[_history.StaleWeek]) -> int:
    """Build these weeks of metrics and show the progress; return how many were built."""
    return sum(_history.build_week(resources.database(), one) for one in track(stale, "building histories"))
