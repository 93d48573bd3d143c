"""Moments of knowledge, as people in New York read them."""

from datetime import datetime, time

from otcpipe.weeks import NEW_YORK


def new_york(moment: datetime) -> str:
    """Return a moment in New York, such as "2026-03-04 23:59:59 New York"; fractions stay, but for a day's last."""
    local = moment.astimezone(NEW_YORK).replace(tzinfo=None)
    if local.time() == time.max:
        local = local.replace(microsecond=0)
    return f"{local.isoformat(sep=' ')} New York"
