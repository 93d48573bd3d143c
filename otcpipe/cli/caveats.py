"""What `show` says of records that are inferred or left out, and of comparisons that are still to come."""

from datetime import date

from otcpipe.cli.console import whole
from otcpipe.storage.postgres import Row
from otcpipe.text.counting import counted


def shares(change: Row) -> Row:
    """Return what a table shows as shares before and after a change, and their difference.

    They are whole unless the change is of less than a share; a word says that the record is gone.
    """
    before, after = change["share_volume_before"], change["share_volume_after"]
    by = (after or 0) - (before or 0)
    is_rounded = by == 0 or abs(by) >= 1
    found = {"share_volume_before": before, "share_volume_after": after, "difference": by}
    found = {name: whole(value) if is_rounded and value else value for name, value in found.items()}
    return found | ({"share_volume_after": "withdrawn"} if after is None else {})


def fewer(found: int, asked: int) -> str:
    """Return how many weeks there are of those that were asked for; nothing if all."""
    return f", {found} of {asked}: the others are not loaded, or have no records" if found < asked else ""


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
