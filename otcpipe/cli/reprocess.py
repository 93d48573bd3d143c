"""Run a stage again by its key."""

import uuid

from otcpipe import resources
from otcpipe.broker import actors
from otcpipe.cli import watch
from otcpipe.cli.console import say
from otcpipe.errors import Invalid
from otcpipe.pipeline import definition, ledger, planning
from otcpipe.pipeline.ledger import Run
from otcpipe.storage import keys
from otcpipe.text.counting import counted


def reprocess(text: str, name: str | None, *, only: bool, is_dry: bool, wait: bool = False) -> None:
    """Run the stage that reads a key, or the named one, again on it. Raises Invalid if the key does not exist."""
    settings = resources.settings()
    key = keys.parse(text, settings["S3_PREFIX"], settings.now())
    stage = definition.reading(key, name)
    if key.kind != "partition" and not resources.store().exists(str(key)):
        if key.kind not in keys.DERIVED or ledger.producer(resources.database(), str(key)) is None:
            raise Invalid(f"{key} does not exist.")
        if stage is definition.of_kind(key.kind):  # the stages after it read tables
            say(f"{key} was removed: it is made again first.")
    if is_dry:
        say(f"{stage.name} would run again on {key}{_and_after(only=only)}")
        return
    actors.ping()
    generation = ledger.generation_of(resources.database(), key)
    _submit(Run(stage, key, generation, request=f"reprocess {uuid.uuid4()}", is_last=only))
    say(f"{stage.name} runs again on {key}{_and_after(only=only)}")
    if wait:
        watch.until_done([key.partition])


def reprocess_all(start: str, name: str | None, *, only: bool, limit: int | None, is_dry: bool, wait: bool) -> None:
    """Run a stage again on each of its keys with a prefix, oldest week first. Raises Invalid if it has none."""
    prefix = resources.settings()["S3_PREFIX"]
    start = start.removeprefix(f"{prefix}/")
    stage = definition.of_kind(start.split("/")[0], name)
    found = ledger.runs_with_prefix(resources.database(), stage, prefix, start, limit)
    if not found:
        raise Invalid(f"{stage.name} has not run on any key that begins with {start}.")
    if is_dry:
        for run in found:
            say(f"{run.key}")
        say(f"{stage.name} would run again on {counted(len(found), 'key')}{_and_after(only=only)}")
        return
    actors.ping()
    request = f"reprocess {uuid.uuid4()}"
    for run in found:
        _submit(Run(run.stage, run.key, run.generation, request=request, is_last=only))
    say(f"{stage.name} runs again on {counted(len(found), 'key')}{_and_after(only=only)}")
    if wait:
        watch.until_done(list(dict.fromkeys(run.key.partition for run in found)))


def _and_after(*, only: bool) -> str:
    return "." if only else ", and the stages after it."


def _submit(run: Run) -> None:
    planning.enqueue(resources.database(), run, actors.send)
