"""Moments of knowledge, as people in New York read them."""

from datetime import datetime

from otcpipe.weeks import NEW_YORK


def new_york(moment: datetime) -> str:
    """Return a moment in New York, such as "2026-03-04 23:59:59 New York"; a fraction of a second is kept."""
    local = moment.astimezone(NEW_YORK).replace(tzinfo=None)
    return f"{local.isoformat(sep=' ')} New York"
