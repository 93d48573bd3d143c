"""Compare what is stored with its raw bytes."""

from collections.abc import Iterable
from dataclasses import asdict

from otcpipe import resources, weeks
from otcpipe.audit import verify as _verify
from otcpipe.audit.verdict import Verdict
from otcpipe.cli.console import say
from otcpipe.cli.form import Form
from otcpipe.cli.output import write
from otcpipe.errors import Invalid, OtcpipeError
from otcpipe.text.counting import counted


def verify(week: str | None, form: Form, *, every: bool) -> None:
    """Print a line for each partition and each week's metrics as it is verified. Raises OtcpipeError on findings."""
    if bool(week) == every:
        raise Invalid("Name a week with --week, or give --all.")
    friday = weeks.parse_week(week, resources.settings().now()) if week else None
    verdicts = list[Verdict]()
    for verdict in _verify.verify(resources.database(), resources.store(), resources.settings()["S3_PREFIX"], friday):
        verdicts.append(verdict)
        if form is Form.TABLE:
            _say_verdict(verdict)
    findings = sum(len(verdict.findings) for verdict in verdicts)
    if write(form, [asdict(verdict) for verdict in verdicts]):
        pass
    elif not verdicts:
        say("Nothing is loaded yet.")
    elif not findings:
        what = "What can be checked" if any(verdict.notes for verdict in verdicts) else "All of it"
        say(f"{what} follows from its raw bytes: {counted(_partitions(verdicts), 'partition')}.")
    if findings:
        raise OtcpipeError(f"{counted(findings, 'finding')} in {counted(_partitions(verdicts), 'partition')}.")


def _partitions(verdicts: Iterable[Verdict]) -> int:
    return sum(verdict.tier is not None for verdict in verdicts)


def _say_verdict(verdict: Verdict) -> None:
    counts = ", ".join(counted(count, name.removesuffix("s")) for name, count in verdict.compared.items())
    right = "correct as far as it can be checked" if verdict.notes else "correct"
    result = counted(len(verdict.findings), "finding") if verdict.findings else right
    say(f"{verdict.tier or 'all':<4} {verdict.week_ending}: {counts}: {result}.")
    for sentence in (*verdict.findings, *verdict.notes):
        say(f"  {sentence}")
