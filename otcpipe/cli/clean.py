"""Remove derived objects of old weeks."""

from collections import Counter
from datetime import timedelta

from otcpipe import resources, weeks
from otcpipe.cli.console import say
from otcpipe.cli.form import Form
from otcpipe.cli.output import write
from otcpipe.cli.progress import track
from otcpipe.errors import Invalid
from otcpipe.pipeline import cleaning
from otcpipe.storage import keys
from otcpipe.text.counting import counted, size


def clean(days: int, form: Form, *, derived: bool, yes: bool) -> None:
    """Print how many derived objects of old weeks there are, and how large, and with `yes` remove them."""
    if not derived:
        raise Invalid("Say what to remove: only derived objects can be, with --derived.")
    settings = resources.settings()
    before = weeks.today(settings.now()) - timedelta(days=days)
    found = list(cleaning.derived(resources.database(), resources.store(), settings["S3_PREFIX"], before))
    objects, sizes = Counter[str](), Counter[str]()
    for one in found:
        objects[one.kind] += 1
        sizes[one.kind] += one.size
    if yes:
        for one in track(found, "removing objects"):
            cleaning.remove(resources.store(), one)
    rows = [{"kind": kind, "objects": objects[kind], "bytes": sizes[kind]} for kind in keys.DERIVED]
    if write(form, [row | {"is_removed": yes} for row in rows]):
        return
    busy = cleaning.under_way(resources.database(), before)
    kept = (
        f" Those of {counted(len(busy), 'partition')} are kept while runs may read them: see `otcpipe status`."
        if busy
        else ""
    )
    if not found:
        say(f"No derived objects of weeks that ended before {before} can be removed.{kept}")
        return
    what = ", ".join(f"{row['kind']} {row['objects']:,}" for row in rows)
    done = "were removed" if yes else "can be removed with --yes"
    say(
        f"{counted(len(found), 'derived object')} ({what}) of weeks that ended before {before}:"
        f" {size(sizes.total())} {done}. Raw objects stay; what needs one makes it again.{kept}"
    )
