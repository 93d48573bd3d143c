"""Import downloaded files."""

import uuid
from datetime import UTC, datetime
from pathlib import Path

from otcpipe import resources, weeks
from otcpipe.answers import arguments
from otcpipe.broker import actors
from otcpipe.cli import watch
from otcpipe.cli.console import say
from otcpipe.cli.import_checks import CheckedFile, check, check_order
from otcpipe.pipeline import captures, definition, oddities, planning
from otcpipe.pipeline.ledger import Run
from otcpipe.records import Manifest
from otcpipe.stages import website_file
from otcpipe.storage import keys, observations
from otcpipe.storage.postgres import Row
from otcpipe.text.counting import counted


def import_files(
    paths: list[Path], week: str | None, tier: str | None, observed_at: str | None, *, wait: bool
) -> None:
    """Check all files, then store and enqueue each that is new. Raises Invalid before anything has changed."""
    now = resources.settings().now()
    friday = weeks.parse_week(week, now) if week else None
    moment = weeks.parse_moment(observed_at, now) if observed_at else None
    found = [check(path, friday, arguments.tier(tier) if tier else None, now) for path in paths]
    for number, file in enumerate(found):
        check_order(file, found[:number], moment)
    actors.ping()
    started = [file.partition for file in found if _start(file, moment, now)]
    if wait:
        watch.until_done(started)


def _start(file: CheckedFile, moment: datetime | None, now: datetime) -> bool:
    """Store and enqueue a file. Returns False if its content was imported before."""
    partition, digest = file.partition, keys.sha256(file.content)
    where = f"{file.path.name}: {partition.tier}, week ending {partition.week_ending} ({file.reason})"
    known = captures.find_content(resources.database(), partition, digest, moment)
    if known and known["is_withdrawn"]:
        say(f"{where}: withdrawn; `otcpipe withdraw {known['capture_id']} --undo` restores it.")
        return False
    if known and known["is_persisted"]:
        at = known["observed_at"].astimezone(UTC)
        say(f"{where}: already imported, observed at {at:%Y-%m-%d %H:%M:%S} UTC; nothing to do.")
        return False
    run = _resumed(known) if known else Run(definition.named("cache"), _store(file, digest, moment, now))
    planning.enqueue(resources.database(), run, actors.send)
    number = run.generation or captures.number_of(run.key)
    say(f"{where}: {counted(file.download.lines, 'row')} enqueued as capture {number}.")
    smaller = oddities.much_smaller(resources.database(), partition, file.download.lines, moment or now)
    if smaller:
        smaller += f" `otcpipe withdraw {number} --reason TEXT` takes it back."
    for warning in (*website_file.warnings(file.download, partition), *filter(None, [smaller])):
        say(f"Warning: {file.path.name}: {warning}")
    return True


def _resumed(capture: Row) -> Run:
    """Return the run that continues an unfinished capture, from its stored bytes."""
    raw = keys.parse(capture["raw_key"], resources.settings()["S3_PREFIX"])
    return Run(definition.named("parse"), raw, capture["capture_id"], request=f"import {uuid.uuid4()}")


def _store(file: CheckedFile, digest: str, moment: datetime | None, now: datetime) -> keys.Key:
    manifest = Manifest("file", "ats", digest, moment or now)
    name = f"file {digest} {moment.isoformat() if moment else ''}"
    prefix = resources.settings()["S3_PREFIX"]
    return observations.store_observation(resources.store(), prefix, file.partition, file.content, manifest, name)
