"""Which weeks are loaded, and the sentence about one that is not."""

from datetime import date

from otcpipe.errors import Invalid
from otcpipe.storage.postgres import Transaction


def require(transaction: Transaction, week: date, tier: str | None = None) -> None:
    """Raise Invalid, which names the nearest loaded weeks, if there is no capture of the week, or of its tier."""
    found = transaction.rows("loaded_around", week_ending=week, tier=tier)[0]
    if not found["is_loaded"]:
        said = sentence(week, tier, found["before"], found["after"])
        fetching = f". `otcpipe enqueue --week {week}` fetches it" if found["before"] or found["after"] else ""
        raise Invalid(f"{said}{fetching}.")


def sentence(week: date, tier: str | None, before: date | None, after: date | None) -> str:
    """Return that a week, or one tier of it, is not loaded, and which are; without a full stop."""
    missing = f"{f'{tier} of the week' if tier else 'The week'} ending {week} is not loaded"
    nearest = [str(one) for one in (before, after) if one]
    if not nearest:
        return f"{missing}: load it with `otcpipe import FILE` or `otcpipe enqueue --week {week}`"
    return f"{missing}; the nearest loaded {'weeks end' if before and after else 'week ends'} {' and '.join(nearest)}"
