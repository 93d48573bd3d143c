"""Commands that set work going again."""

import uuid
from collections.abc import Iterator

from otcpipe import resources, weeks
from otcpipe.broker import actors
from otcpipe.cli.console import counted, print_json, say
from otcpipe.errors import Invalid
from otcpipe.pipeline import decisions, definition, ledger, oddities, planning, recovery, synchronization
from otcpipe.pipeline.decisions import Decision
from otcpipe.pipeline.ledger import Run
from otcpipe.pipeline.recovery import Finding
from otcpipe.quality import grading
from otcpipe.records import Partition
from otcpipe.storage import keys


def reconcile_(*, stale: bool, is_dry: bool, as_json: bool) -> None:
    """Send the messages of all that is due and that nobody is at, or of all that an older version made."""
    prefix = resources.settings()["S3_PREFIX"]
    actors.ping()
    if not stale:
        _drop_impossible(is_dry=is_dry, as_json=as_json)
    count = synchronization.synchronize(resources.database(), resources.store(), prefix, say, is_dry=is_dry)
    if count and not as_json:
        say(f"{counted(count, 'decision')} of people {'would be' if is_dry else ''} copied between S3 and Postgres.")
    found = []
    for finding in recovery.stale(resources.database(), prefix, f"stale {uuid.uuid4()}") if stale else _due(prefix):
        if not is_dry:
            _submit(finding.run)
        found.append(finding)
        if not as_json:
            say(f"{finding.run.stage.name} {finding.run.key}: {finding.why}.")
    if as_json:
        print_json([_row(finding) for finding in found])
    else:
        say(_summary(len(found), stale=stale, is_dry=is_dry))


def _drop_impossible(*, is_dry: bool, as_json: bool) -> None:
    database, now = resources.database(), resources.settings().now()
    if not as_json:
        for run in oddities.impossible_runs(database, now):
            say(f"{run['stage']} {run['key']}: its week cannot exist or has not ended; {_removed(is_dry=is_dry)}.")
    if not is_dry:
        oddities.drop_impossible_runs(database, now)


def _removed(*, is_dry: bool) -> str:
    return "it would be removed from the ledger" if is_dry else "it was removed from the ledger"


def _due(prefix: str) -> Iterator[Finding]:
    settings, database = resources.settings(), resources.database()
    yield from recovery.find(database, resources.store(), prefix, actors.message_ids(), settings.now())
    yield from recovery.never_requested(database, prefix, settings.since, settings.now())


def _summary(number: int, *, stale: bool, is_dry: bool) -> str:
    what = "made by another version of its code" if stale else "due without a message or a worker"
    if not number:
        return f"Nothing is {what}."
    return f"{counted(number, 'run')} {what}{' would be' if is_dry else ''} sent again."


def _row(finding: Finding) -> dict[str, object]:
    run = finding.run
    return run.identity() | {
        "week_ending": run.key.partition.week_ending,
        "tier": run.key.partition.tier,
        "why": finding.why,
    }


def accept(week: str, tier: str, reason: str) -> None:
    """Let a held partition's metrics be made."""
    now, database = resources.settings().now(), resources.database()
    partition = Partition(weeks.parse_week(week, now), weeks.parse_tier(tier))
    if not reason.strip():
        raise Invalid("A reason is needed: it is kept beside the partition.")
    actors.ping()
    grade = grading.held(database, partition)
    decision = Decision("accept", partition, grade["digest"], reason.strip(), now, grade["grade"], grade["score"])
    decisions.record(database, resources.store(), resources.settings()["S3_PREFIX"], decision)
    (row,) = [row for row in ledger.partitions(database, partition.week_ending) if row["tier"] == partition.tier]
    key = keys.parse(row["normalized_key"], resources.settings()["S3_PREFIX"])
    _submit(
        Run(definition.named("compute"), key, ledger.generation_of(database, key), request=f"accept {uuid.uuid4()}")
    )
    say(f"{partition.tier} {partition.week_ending}: accepted as it is ({'; '.join(grade['reasons'])}).")


def reprocess(text: str, name: str | None, *, only: bool, is_dry: bool) -> None:
    """Run a stage by its key again."""
    settings = resources.settings()
    key = keys.parse(text, settings["S3_PREFIX"], settings.now())
    stage = definition.reading(key, name)
    if key.kind != "partition" and not resources.store().exists(str(key)):
        raise Invalid(f"{key} does not exist.")
    if is_dry:
        say(f"{stage.name} would run again on {key}{_and_after(only=only)}")
        return
    actors.ping()
    generation = ledger.generation_of(resources.database(), key)
    _submit(Run(stage, key, generation, request=f"reprocess {uuid.uuid4()}", is_last=only))
    say(f"{stage.name} runs again on {key}{_and_after(only=only)}")


def reprocess_all(start: str, name: str | None, *, only: bool, limit: int | None, is_dry: bool) -> None:
    """Run a stage again by each key that begins so, oldest week first."""
    prefix = resources.settings()["S3_PREFIX"]
    start = start.removeprefix(f"{prefix}/")
    stage = definition.of_kind(start.split("/")[0], name)
    found = ledger.runs_with_prefix(resources.database(), stage, prefix, start, limit)
    if not found:
        raise Invalid(f"{stage.name} never ran on a key that begins with {start}.")
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


def _and_after(*, only: bool) -> str:
    return "." if only else ", and the stages after it."


def _submit(run: Run) -> None:
    planning.enqueue(resources.database(), run, actors.send)
