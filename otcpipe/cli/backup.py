"""Check what must survive, and copy it elsewhere."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict

from rich.progress import Progress

from otcpipe import resources
from otcpipe.cli.console import console, say
from otcpipe.cli.output import print_json
from otcpipe.errors import Invalid, OtcpipeError
from otcpipe.pipeline.backup import copies, inventory
from otcpipe.pipeline.backup.inventory import Summary
from otcpipe.text.counting import counted

SHOWN = 20  # problems of a place, in the terminal
MEBIBYTE = 1 << 20


def backup(place: str | None, *, only_check: bool, as_json: bool) -> None:
    """Copy what the copy lacks, or check bucket and copy; raises OtcpipeError if something is missing or wrong."""
    settings, store = resources.settings(), resources.store()
    place = place or settings["BACKUP"] or None
    if not place and not only_check:
        raise Invalid("Say where to: --to DIR or --to s3://BUCKET/PREFIX, or set OTCPIPE_BACKUP; or give --check.")
    chosen = copies.place(place, settings) if place else None
    prefix, found = settings["S3_PREFIX"], list[Summary]()
    if only_check:
        with progress("checking the bucket") as report:
            found.append(inventory.check(resources.database(), store, prefix, report))
    if chosen and place:
        work = copies.check if only_check else copies.copy
        with progress("checking the copy" if only_check else "copying") as report:
            found.append(work(store, prefix, chosen, place, report))
    if as_json:
        print_json([asdict(one) for one in found])
    else:
        for one in found:
            describe(one, done=None if only_check else "copied")
    if any(one.problems for one in found):
        raise OtcpipeError(_advice(place if only_check else None))


def describe(summary: Summary, *, done: str | None, holder: str = "it") -> None:
    """Print what a place holds, what was done with its objects (None: they were checked), and what is wrong."""
    size = f"{summary.bytes / MEBIBYTE:,.1f} MiB"
    if done:
        new = f"{counted(summary.new, 'object')} {done}, {size}" if summary.new else "nothing was new"
        say(f"{summary.place}: {new}; {holder} holds {counted(summary.objects, 'object')}.")
    else:
        wrong = len(summary.problems)
        verdict = f"{counted(wrong, 'problem')}" if wrong else "all are complete and match their SHA-256"
        say(f"{summary.place}: {counted(summary.objects, 'object')}, {size}; {verdict}.")
    for one in summary.problems[:SHOWN]:
        say(f"  {one.problem}")
    if len(summary.problems) > SHOWN:
        say(f"  and {len(summary.problems) - SHOWN:,} more: see --json.")


@contextmanager
def progress(what: str) -> Iterator[inventory.Progress]:
    """Show a bar in a terminal while the block lasts; it is given the function that moves the bar."""
    with Progress(console=console, transient=True, disable=not console.is_terminal) as shown:
        task = shown.add_task(what, total=None)
        yield lambda done, of: shown.update(task, completed=done, total=of)


def _advice(place: str | None) -> str:
    if place:
        return f"The backup is not complete: `otcpipe rebuild --from {place}` restores what the bucket lacks."
    return "The backup is not complete: see above for each object."
