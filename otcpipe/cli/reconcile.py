"""Send lost runs, or stale ones, again."""

import uuid
from collections.abc import Iterator

from otcpipe import resources
from otcpipe.broker import actors
from otcpipe.cli.console import say
from otcpipe.cli.form import Form
from otcpipe.cli.output import write
from otcpipe.pipeline import oddities, planning, recovery, sessions, synchronization
from otcpipe.pipeline.recovery import Finding
from otcpipe.pipeline.volumes import imports
from otcpipe.text.counting import counted


def reconcile(form: Form, *, stale: bool, is_dry: bool) -> None:
    """Send lost runs again: due in the ledger, but with no message in Redis and no live worker.

    With `stale`, send what another version of a stage's code made instead.
    """
    prefix = resources.settings()["S3_PREFIX"]
    actors.ping()
    if not stale:
        _drop_impossible(is_dry=is_dry, form=form)
    count = synchronization.synchronize(resources.database(), resources.store(), prefix, say, is_dry=is_dry)
    if not stale:
        _correct_sessions(form, is_dry=is_dry)
    if not is_dry:
        imports.restore(resources.database(), resources.store(), prefix, say)
    if count and form is Form.TABLE:
        say(f"{counted(count, 'decision')} {'would be ' if is_dry else ''}copied between S3 and Postgres.")
    found = []
    for finding in recovery.stale(resources.database(), prefix, f"stale {uuid.uuid4()}") if stale else _due(prefix):
        if not is_dry:
            planning.enqueue(resources.database(), finding.run, actors.send)
        found.append(finding)
        if form is Form.TABLE:
            say(f"{finding.run.stage.name} {finding.run.key}: {finding.why}.")
    if not write(form, [_row(finding) for finding in found]):
        say(_summary(len(found), stale=stale, is_dry=is_dry))


def _drop_impossible(*, is_dry: bool, form: Form) -> None:
    database, now = resources.database(), resources.settings().now()
    if form is Form.TABLE:
        for run in oddities.impossible_runs(database, now):
            say(f"{run['stage']} {run['key']}: its week is impossible or has not ended; {_removed(is_dry=is_dry)}.")
    if not is_dry:
        oddities.drop_impossible_runs(database, now)


def _correct_sessions(form: Form, *, is_dry: bool) -> None:
    """Store the trading days of weeks by today's calendar, and say so."""
    database, now = resources.database(), resources.settings().now()
    for week in sessions.outdated(database) if is_dry else sessions.correct(database, now):
        if form is Form.TABLE:
            days = counted(sessions.of(week)["trading_days"], "trading day")
            say(f"The week ending {week} {'would have' if is_dry else 'has'} {days} by today's calendar.")


def _removed(*, is_dry: bool) -> str:
    return "it would be removed from the ledger" if is_dry else "it was removed from the ledger"


def _due(prefix: str) -> Iterator[Finding]:
    settings, database = resources.settings(), resources.database()
    tiers, now = settings.tiers, settings.now()
    yield from recovery.find(database, resources.store(), prefix, actors.message_ids(), now, tiers)
    yield from recovery.never_requested(database, prefix, tiers, settings.since, now)


def _summary(number: int, *, stale: bool, is_dry: bool) -> str:
    kind = "stale" if stale else "lost"
    if not number:
        return f"No {kind} runs."
    return f"{counted(number, f'{kind} run')} {'would be ' if is_dry else ''}sent again."


def _row(finding: Finding) -> dict[str, object]:
    run = finding.run
    return run.identity() | {
        "week_ending": run.key.partition.week_ending,
        "tier": run.key.partition.tier,
        "why": finding.why,
    }
