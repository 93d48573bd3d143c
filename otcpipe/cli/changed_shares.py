"""Shares before and after a change, as tables show them."""

from otcpipe.cli.console import whole
from otcpipe.storage.postgres import Row


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
