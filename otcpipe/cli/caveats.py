"""What `show` says of records that are inferred or left out, and of comparisons that are still to come."""

from collections.abc import Iterable
from datetime import date

from otcpipe.storage.postgres import Row
from otcpipe.text.counting import counted


def fewer(found: int, asked: int) -> str:
    """Return how many weeks there are of those that were asked for; nothing if all."""
    return f", {found} of {asked}: the others are not loaded, are held, or have no records" if found < asked else ""


def few_weeks(means: Iterable[str | None]) -> str | None:
    """Return what a number behind a mean says; None if no mean has one."""
    is_any = any(mean and mean.endswith(")") for mean in means)
    return "(n): a mean of n weeks only, as others are not loaded, are held, or have no records." if is_any else None


def too_early(weeks: int) -> str | None:
    """Return how many weeks cannot be compared; None if all can."""
    if not weeks:
        return None
    return f"Not compared: {counted(weeks, 'week')} with fewer than 8 weeks with records in the 13 before."


def inferred(number: int) -> str | None:
    """Return how many records were captured after the moment; None if none were."""
    if not number:
        return None
    return f"Inferred: {counted(number, 'record')}, captured after that moment and not updated since the publication."


def left_out(found: Row) -> str | None:
    """Return which records are in no number of this answer; None if all are."""
    shown, before = found["unknown_records"], found["unknown_records_before"]
    parts = [f"{counted(shown, 'record')} of these weeks"] if shown else []
    parts += [f"{counted(before, 'record')} of the year before, which means and medians read"] if before else []
    if not parts:
        return None
    which = "; ".join(parts)
    return f"Left out, as FINRA updated them before the first capture and their values then are lost: {which}."


def to_be_completed(weeks: list[date]) -> str | None:
    """Return of how many weeks the comparisons may change; None if of none."""
    if not weeks:
        return None
    return (
        f"Comparisons and changes of concentration of {counted(len(weeks), 'week')} are still to be completed, and "
        "may be missing or outdated: the scheduler completes them within ten minutes, `otcpipe history` at once."
    )
