"""Tell people what needs them, once."""

import logging
from dataclasses import asdict
from datetime import datetime, timedelta
from importlib import import_module

from otcpipe import resources
from otcpipe.cli.console import print_table, say
from otcpipe.cli.form import Form
from otcpipe.cli.output import write
from otcpipe.cli.tables import Column, key
from otcpipe.errors import Invalid, OtcpipeError
from otcpipe.monitoring import alerts
from otcpipe.monitoring.alerts import Receiver, Told
from otcpipe.text.counting import counted

COLUMNS = {"kind": key("Kind"), "sentence": Column("What"), "command": key("Command")}
OUTAGE = timedelta(minutes=2)  # of a server, until receivers are told
NONE = "OTCPIPE_ALERT_URLS is not set: it names who is told, such as mailto://user:password@example.com."
log = logging.getLogger("otcpipe.alerts")


def alert() -> None:
    """Tell every receiver what changed; raises OtcpipeError if one does not take it."""
    told = _tell()
    for one in told:
        say(_sentence(one))
    if not told:
        say("Nothing has changed since the receivers were told.")
    if not all(one.was_taken for one in told):
        raise OtcpipeError("Not every receiver took its message: it is sent again next time.")


def list_conditions(form: Form) -> None:
    """Print what needs a person now."""
    found = alerts.all_conditions(resources.settings())
    rows = [{name: value for name, value in asdict(one).items() if name != "is_event"} for one in found]
    if write(form, rows, COLUMNS):
        return
    if rows:
        print_table(COLUMNS, rows)
    else:
        say("Nothing needs a person.")


def test() -> None:
    """Send a message to every receiver; raises OtcpipeError if one does not take it."""
    failed = []
    for receiver in _receivers():
        was_taken = receiver.notify("otcpipe: a test", "Alerts of otcpipe arrive here.")
        say(f"{receiver.name} {'took' if was_taken else 'did not take'} the test message.")
        failed += [] if was_taken else [receiver.name]
    if failed:
        raise OtcpipeError(f"{counted(len(failed), 'receiver')} did not take the test message.")


def of_schedule() -> str:
    """Tell the receivers, if there are any; return a sentence for the log."""
    if not resources.settings()["ALERT_URLS"]:
        return "OTCPIPE_ALERT_URLS names nobody to tell."
    told = _tell()
    return " ".join(map(_sentence, told)) or "Nothing has changed since the receivers were told."


class Outage:
    """A server that does not answer: nothing can be recorded meanwhile, so the process remembers whom it told."""

    def __init__(self) -> None:
        self._since: datetime | None = None
        self._told: str | None = None

    def note(self, error: str, now: datetime) -> None:
        """Tell the receivers once that work is put off, when that has lasted some minutes."""
        self._since = self._since or now
        if self._told is None and now - self._since >= OUTAGE:
            self._told = error
            self._notify("otcpipe: work is put off", f"{error}\n    otcpipe doctor")

    def end(self) -> None:
        """Tell the receivers that it is over, if they were told of it."""
        if self._told is not None:
            self._notify("otcpipe: 1 over", f"Over: {self._told}")
        self._since = self._told = None

    def _notify(self, title: str, text: str) -> None:
        if not resources.settings()["ALERT_URLS"]:
            return
        try:
            taken = [receiver.notify(title, text) for receiver in _receivers()]
        except OtcpipeError as error:
            log.warning("Nobody was told: %s", error)
        else:
            log.info("%d of %d receivers were told: %s", sum(taken), len(taken), title)


def _tell() -> list[Told]:
    receivers = _receivers()
    return alerts.tell(resources.database(), receivers, alerts.all_conditions(resources.settings()))


def _receivers() -> list[Receiver]:
    settings = resources.settings()
    if not settings["ALERT_URLS"]:
        raise Invalid(NONE)
    try:
        module = import_module("otcpipe.monitoring.receivers")
    except ModuleNotFoundError:
        raise Invalid("Alerts need one more package: pip install 'otcpipe[alerts]'.") from None
    found: list[Receiver] = module.receivers(settings)
    return found


def _sentence(one: Told) -> str:
    what = ", ".join([f"{len(one.new):,} new", f"{len(one.over):,} over"])
    return f"{one.receiver} {'was told' if one.was_taken else 'did not take the message'}: {what}."
