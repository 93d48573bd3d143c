"""Notify people of what needs them, once."""

import logging
from dataclasses import asdict, fields
from datetime import datetime, timedelta
from importlib import import_module

from otcpipe import resources
from otcpipe.cli.console import print_table, say
from otcpipe.cli.form import Form
from otcpipe.cli.output import write
from otcpipe.cli.tables import key
from otcpipe.errors import Invalid, OtcpipeError
from otcpipe.monitoring import alerts
from otcpipe.monitoring.alerts import Notification, Receiver
from otcpipe.monitoring.conditions import Condition
from otcpipe.text.counting import counted

COLUMNS = {
    "kind": key("Kind"),
    "sentence": key("What", is_prose=True),
    "command": key("Command", is_prose=True),
}
OUTAGE = timedelta(minutes=2)  # of a server, until receivers are notified
NONE = "OTCPIPE_ALERT_URLS is not set: it names who is notified, such as slack://TOKEN/ or json://localhost."
log = logging.getLogger("otcpipe.alerts")


def alert() -> None:
    """Notify every receiver of what changed; raises OtcpipeError if one does not take it."""
    notified = _notify_all()
    for one in notified:
        say(_sentence(one))
    if not notified:
        say("Nothing has changed since the receivers were notified.")
    if not all(one.was_taken for one in notified):
        raise OtcpipeError("Not every receiver took its message: it is sent again next time.")


def list_conditions(form: Form) -> None:
    """Print what needs a person now."""
    found = alerts.all_conditions(resources.settings())
    rows = [{name: value for name, value in asdict(one).items() if name != "is_event"} for one in found]
    if write(form, rows, [one.name for one in fields(Condition) if one.name != "is_event"]):
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
    """Notify the receivers, if there are any; return a sentence for the log."""
    if not resources.settings()["ALERT_URLS"]:
        return "OTCPIPE_ALERT_URLS is not set, so that no alert is sent."
    notified = _notify_all()
    return " ".join(map(_sentence, notified)) or "Nothing has changed since the receivers were notified."


class Outage:
    """A server that does not answer: nothing can be recorded meanwhile, so the process remembers whom it notified."""

    def __init__(self) -> None:
        self._since: datetime | None = None
        self._notified: str | None = None

    def note(self, error: str, now: datetime) -> None:
        """Notify the receivers once that work is put off, when that has lasted some minutes."""
        self._since = self._since or now
        if self._notified is None and now - self._since >= OUTAGE:
            self._notified = error
            self._notify("otcpipe: work is put off", f"{error}\n    otcpipe doctor")

    def end(self) -> None:
        """Notify the receivers that it is over, if they were notified of it."""
        if self._notified is not None:
            self._notify("otcpipe: 1 over", f"Over: {self._notified}")
        self._since = self._notified = None

    def _notify(self, title: str, text: str) -> None:
        if not resources.settings()["ALERT_URLS"]:
            return
        try:
            taken = [receiver.notify(title, text) for receiver in _receivers()]
        except OtcpipeError as error:
            log.warning("No alert was sent: %s", error)
        else:
            log.info("%d of %d receivers were notified: %s", sum(taken), len(taken), title)


def _notify_all() -> list[Notification]:
    receivers = _receivers()
    return alerts.notify(resources.database(), receivers, alerts.all_conditions(resources.settings()))


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


def _sentence(one: Notification) -> str:
    what = ", ".join([f"{len(one.new):,} new", f"{len(one.over):,} over"])
    return f"{one.receiver} {'was notified' if one.was_taken else 'did not take the message'}: {what}."
