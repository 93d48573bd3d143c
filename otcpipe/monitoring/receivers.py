"""The receivers that OTCPIPE_ALERT_URLS names, through Apprise: mail, Slack, Teams, PagerDuty, webhooks and more."""

import logging

import apprise

from otcpipe.errors import Invalid
from otcpipe.monitoring.alerts import Receiver, digest
from otcpipe.settings import Settings

logging.getLogger("apprise").setLevel(logging.CRITICAL)  # its own sentences may quote a URL with its token


def receivers(settings: Settings) -> list[Receiver]:
    """Return the receivers in their order; raises Invalid for a URL that Apprise does not know."""
    return [_receiver(number, url) for number, url in enumerate(settings["ALERT_URLS"].split(), 1)]


def _receiver(number: int, url: str) -> Receiver:
    service = apprise.Apprise.instantiate(url, suppress_exceptions=True)
    if service is None:
        raise Invalid(f"The URL number {number} of OTCPIPE_ALERT_URLS is not one that Apprise knows.")
    name = f"receiver {number} ({service.service_name or url.partition(':')[0]})"

    def notify(title: str, text: str) -> bool:
        return bool(service.notify(body=text, title=title, body_format=apprise.NotifyFormat.TEXT))

    return Receiver(digest(url), name, notify)
