"""Publish: from the histories of the weeks that a partition changed to the files of a lake."""

from datetime import date

from otcpipe.export import lake, target
from otcpipe.metrics import catalog, history
from otcpipe.metrics.definitions import WEEK, max_lookahead
from otcpipe.settings import Settings
from otcpipe.storage.postgres import Database


def publish(database: Database, settings: Settings, week: date) -> dict[str, int]:
    """Build the histories of the week and of those within the lookahead, then publish what changed of them.

    A week that a run is still to change is left to that run. So in a backfill each week is published once, when the
    weeks that it reads have settled. Returns the number of files written. Raises TooSoon while another publication
    runs, and Invalid for a wrong target.
    """
    place = settings["PUBLISH"]
    if not place:
        return {}
    root = target.of(place, settings)
    weeks = _settled(database, week)
    for stale in history.stale(database, None, week, week + max_lookahead() * WEEK):
        if stale.week in weeks:
            history.build_week(database, stale)
    return {"files written": lake.publish(database, root, catalog.stored(), weeks=weeks)}


def _settled(database: Database, week: date) -> list[date]:
    """Return the week and the later ones that read it, except those that a run of the pipeline is to change."""
    with database.transaction() as transaction:
        rows = transaction.rows(
            "settled_weeks", first=week, last=week + max_lookahead() * WEEK, reach=max_lookahead()
        )
    return [row["week_ending"] for row in rows]
