"""Commands that start work."""

import stat
import uuid
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

from otcpipe import resources, weeks
from otcpipe.broker import actors
from otcpipe.cli import watch
from otcpipe.cli.console import say
from otcpipe.errors import Invalid
from otcpipe.pipeline import captures, definition, oddities, planning
from otcpipe.pipeline.ledger import Run
from otcpipe.records import Manifest, Partition
from otcpipe.stages import website_file
from otcpipe.storage import gz, keys, observations
from otcpipe.storage.postgres import Row
from otcpipe.text.limits import MAX_BYTES


@dataclass(frozen=True)
class Found:
    """A file that was checked, and where it belongs."""

    path: Path
    content: bytes
    download: website_file.WebsiteFile
    partition: Partition
    reason: str


def import_files(
    paths: list[Path], week: str | None, tier: str | None, observed_at: str | None, *, wait: bool
) -> None:
    """Check all files before the first of them changes anything."""
    now = resources.settings().now()
    friday = weeks.parse_week(week, now) if week else None
    moment = weeks.parse_moment(observed_at, now) if observed_at else None
    found = [_check(path, friday, weeks.parse_tier(tier) if tier else None, now) for path in paths]
    for number, file in enumerate(found):
        _check_order(file, found[:number], moment)
    actors.ping()
    started = [file.partition for file in found if _start(file, moment, now)]
    if wait:
        watch.until_done(started)


def _check(path: Path, friday: date | None, tier: str | None, now: datetime) -> Found:
    try:
        content = gz.expand(_read(path))
        download = website_file.read(content)
        if tier and tier != download.tier:
            raise Invalid(f"It holds tier {download.tier}, not {tier}.")
        partition, reason = website_file.find_partition(download, friday)
        weeks.parse_week(str(partition.week_ending), now)
    except OSError as error:
        raise Invalid(f"{path} cannot be read: {error.strerror}.") from None
    except Invalid as error:
        raise Invalid(f"{path}: {error}") from None
    return Found(path, content, download, partition, reason)


def _read(path: Path) -> bytes:
    """The bytes of a regular file; raises Invalid for what may have no end, and for what is too large."""
    mode = path.stat().st_mode
    if not stat.S_ISREG(mode):
        kind = "a directory" if stat.S_ISDIR(mode) else "a pipe, a device or a socket"
        raise Invalid(f"It is {kind}, not a regular file; save the download to a file first.")
    with path.open("rb") as file:
        content = file.read(MAX_BYTES + 1)  # it may grow meanwhile
    if len(content) > MAX_BYTES:
        raise Invalid(f"It is larger than {MAX_BYTES >> 20} MiB, which no partition is.")
    return content


def _check_order(file: Found, before: list[Found], moment: datetime | None) -> None:
    """Raises Invalid unless it is clear which observation of a partition is the later one."""
    if moment and moment.astimezone(weeks.NEW_YORK).date() < file.download.last_update:
        raise Invalid(f"{file.path} has rows of {file.download.last_update}, so it was downloaded no earlier.")
    if any(other.partition == file.partition and other.content != file.content for other in before):
        raise Invalid(f"{file.path} is a second file of its partition: import one, then the other.")
    newest = captures.newest_update(resources.database(), file.partition)
    known = captures.find_content(resources.database(), file.partition, keys.sha256(file.content), moment)
    if moment is None and known is None and newest and newest > file.download.last_update:
        raise Invalid(
            f"{file.path}: its newest row is of {file.download.last_update}, but rows of {newest} are in already; "
            f"say when the file was downloaded with --observed-at."
        )


def _start(file: Found, moment: datetime | None, now: datetime) -> bool:
    """Put one file on its way; false when its content is there already."""
    partition, digest = file.partition, keys.sha256(file.content)
    where = f"{file.path.name}: {partition.tier}, week ending {partition.week_ending} ({file.reason})"
    known = captures.find_content(resources.database(), partition, digest, moment)
    if known and known["is_withdrawn"]:
        say(f"{where}: withdrawn; `otcpipe withdraw {known['capture_id']} --undo` lets it count again.")
        return False
    if known and known["is_persisted"]:
        at = known["observed_at"].astimezone(UTC)
        say(f"{where}: imported already, as observed at {at:%Y-%m-%d %H:%M:%S} UTC; nothing to do.")
        return False
    run = _begun(known) if known else Run(definition.named("cache"), _deposit(file, digest, moment, now))
    planning.enqueue(resources.database(), run, actors.send)
    say(f"{where}: {file.download.lines:,} rows enqueued.")
    found = (
        website_file.warning(file.download, partition),
        oddities.much_smaller(resources.database(), partition, file.download.lines, moment or now),
    )
    for warning in filter(None, found):
        say(f"Warning: {file.path.name}: {warning}")
    return True


def _begun(capture: Row) -> Run:
    """A capture that did not come through is taken up again where its bytes are."""
    raw = keys.parse(capture["raw_key"], resources.settings()["S3_PREFIX"])
    return Run(definition.named("parse"), raw, capture["capture_id"], request=f"import {uuid.uuid4()}")


def _deposit(file: Found, digest: str, moment: datetime | None, now: datetime) -> keys.Key:
    manifest = Manifest("file", "ats", digest, moment or now)
    name = f"file {digest} {moment.isoformat() if moment else ''}"
    prefix = resources.settings()["S3_PREFIX"]
    return observations.store_observation(resources.store(), prefix, file.partition, file.content, manifest, name)
