"""Check a downloaded file before it is imported."""

import stat
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

from otcpipe import resources, weeks
from otcpipe.errors import Invalid
from otcpipe.pipeline import captures
from otcpipe.records import Partition
from otcpipe.stages import website_file
from otcpipe.storage import gz, keys
from otcpipe.text.limits import MAX_BYTES


@dataclass(frozen=True)
class CheckedFile:
    """A readable download and the partition that it belongs to; `reason` says why."""

    path: Path
    content: bytes
    download: website_file.WebsiteFile
    partition: Partition
    reason: str


def check(path: Path, friday: date | None, tier: str | None, now: datetime) -> CheckedFile:
    """Read a download and find its partition; raises Invalid, which names the file and what is wrong."""
    try:
        content = gz.expand(read_file(path))
        download = website_file.read(content)
        if tier and tier != download.tier:
            raise Invalid(f"It holds tier {download.tier}, not {tier}.")
        partition, reason = website_file.find_partition(download, friday)
        weeks.parse_week(str(partition.week_ending), now)
    except OSError as error:
        raise Invalid(f"{path} cannot be read: {error.strerror}.") from None
    except Invalid as error:
        raise Invalid(f"{path}: {error}") from None
    return CheckedFile(path, content, download, partition, reason)


def read_file(path: Path) -> bytes:
    """Return the bytes of a regular file; raises Invalid for anything else, or a file that is too large."""
    mode = path.stat().st_mode
    if not stat.S_ISREG(mode):
        kind = "a directory" if stat.S_ISDIR(mode) else "a pipe, a device or a socket"
        raise Invalid(f"It is {kind}, not a regular file; save the download to a file first.")
    with path.open("rb") as file:
        content = file.read(MAX_BYTES + 1)  # it may grow meanwhile
    if len(content) > MAX_BYTES:
        raise Invalid(f"It is larger than {MAX_BYTES >> 20} MiB, which is too much.")
    return content


def check_order(file: CheckedFile, before: list[CheckedFile], moment: datetime | None) -> None:
    """Raise Invalid unless it is clear which week a file is of, and which observation of it is the later one."""
    now = resources.settings().now()
    if (moment or now).astimezone(weeks.NEW_YORK).date() < file.download.last_update:
        why = "--observed-at cannot be before that day" if moment else "that day is still to come"
        raise Invalid(f"{file.path} has rows of {file.download.last_update}: {why}.")
    if any(other.partition == file.partition and other.content != file.content for other in before):
        raise Invalid(f"{file.path} is a second file of its partition: import one, then the other.")
    digest = keys.sha256(file.content)
    others = captures.weeks_of_content(resources.database(), file.partition, digest)
    if others:
        raise Invalid(
            f"{file.path} is stored already, as that of the week ending {others[0]}: "
            "if that week is wrong, withdraw its capture first (`otcpipe captures`)."
        )
    newest = captures.newest_update(resources.database(), file.partition)
    known = captures.find_content(resources.database(), file.partition, digest, moment)
    if moment is None and known is None and newest and newest > file.download.last_update:
        raise Invalid(
            f"{file.path}: its newest row is of {file.download.last_update}, but rows of {newest} are loaded; "
            f"give the time of the download with --observed-at."
        )
