"""The syntax of each setting, checked here since a library's own error could show a secret."""

import re
from collections.abc import Callable
from datetime import date, datetime
from ipaddress import IPv6Address
from pathlib import Path

from otcpipe.text.printable import printable

SCHEMES = {
    "DATABASE_URL": ("postgresql", "postgres"),
    "REDIS_URL": ("redis", "rediss"),
    "S3_ENDPOINT": ("http", "https"),
    "BACKUP_S3_ENDPOINT": ("http", "https"),
    "FINRA_URL": ("http", "https"),
    "FINRA_TOKEN_URL": ("http", "https"),
    "FINRA_PROXY": ("http", "https"),
    "TRACES_URL": ("http", "https"),
}
CHOICES = {"FINRA_FORMAT": ("text", "json"), "LOG": ("text", "json")}
LAST_PORT = 65535
YEARS = range(2014, 2100)  # of the feed, the range of the calendar
LABEL = "[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
NAME = rf"{LABEL}(?:\.{LABEL})*\.?"
IPV6 = r"[0-9A-Fa-f:]+:[0-9A-Fa-f:.]*(?:%25[A-Za-z0-9]+)?"
ENCODED = "%(?!00)[0-9A-Fa-f]{2}"
USER = rf"(?:[A-Za-z0-9._~!$&'()*+,;=-]|{ENCODED})*"
PASSWORD = rf"(?:[A-Za-z0-9._~!$&'()*+,;=:-]|{ENCODED})*"
PORT = "(?::[1-9][0-9]{0,4})?"
HOST = rf"(?:{NAME}|\[{IPV6}\]){PORT}"
SERVER = rf"(?:(?:[A-Za-z0-9._-]|{ENCODED})+|\[{IPV6}\]){PORT}"  # libpq also accepts the directory of a socket
REST = rf"(?:[A-Za-z0-9._~!$&'()*+,;=:/-]|{ENCODED})*"  # no @: it could be part of a password
QUERY = rf"(?:[A-Za-z0-9._~!$&'()*+,;=:/?-]|{ENCODED})*"
URL_FORM = rf"[a-z]+://(?:{USER}(?::{PASSWORD})?@)?(?P<hosts>%s)(?P<path>/{REST})?(?:\?(?P<query>{QUERY}))?"
URL = re.compile(URL_FORM.replace("%s", HOST))
DATABASE = re.compile(URL_FORM.replace("%s", f"{SERVER}(?:,{SERVER})*"))
REDIS_OPTIONS = re.compile(r"(?:(?:username|password|protocol|ssl_[a-z_]+)=[^&=]*(?:&|$))*|db=[0-9]{1,5}")
PATTERNS = {
    "FINRA_RATE": (r"[1-9][0-9]{0,2}|1000", "a whole number of requests a second, 1 to 1000"),
    "ALERT_SHARES": (r"[0-9]{1,15}", "a whole number of shares"),
    "LEASE": (r"[1-9][0-9]{0,3}", "a whole number of seconds, 1 to 9999"),
    "WEB_TOKEN": (r"[A-Za-z0-9_-]{16,200}", "16 to 200 letters, digits, hyphens and underscores"),
    "WEB_ORIGINS": (
        r"https?://[A-Za-z0-9.:-]+(?:, ?https?://[A-Za-z0-9.:-]+)*",
        "origins such as https://pro.openbb.co, separated by commas",
    ),
    "S3_BUCKET": (
        r"(?!.*\.\.)(?!(?:[0-9]+\.){3}[0-9]+$)[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]",
        "a bucket name: 3 to 63 lower-case letters, digits, dots and hyphens",
    ),
    "PUBLISH": (r"/.*|s3://.+", "an absolute path or s3://BUCKET/PREFIX"),
    "BACKUP": (r"/.*|s3://.+", "an absolute path or s3://BUCKET/PREFIX"),
    "S3_REGION": (r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}", "a region such as us-east-1"),
    "S3_PREFIX": (
        r"(?!.*(?:^|/)\.\.?(?:/|$))(?!/)(?!.*//)(?!.*/$)[A-Za-z0-9!_.*'()/=+@,:&$-]{1,500}",
        "the beginning of keys: letters, digits and single slashes between them",
    ),
    "S3_ACCESS_KEY": (r"[!-~]+", "ASCII without spaces"),
    "FINRA_CLIENT_ID": (r"[ -~]+", "ASCII"),
    "FINRA_CLIENT_SECRET": (r"[ -~]+", "ASCII"),
    "CONTACT": ("[ -~\u00a0-\u00ff]+", "Latin-1 text, as HTTP headers allow"),
}


def requirement(name: str, text: str) -> str | None:
    """Return what a setting must be if the text is not that, else None; the text is never quoted."""
    if name == "HOME":
        return None  # any path
    if name == "CA_BUNDLE":
        return None if _is_pem(text) else "the path of a file of certificates in PEM"
    if printable(text) != text:
        return "text without control characters"
    return _url(name, text) if name in SCHEMES else _form(name, text)


def _form(name: str, text: str) -> str | None:
    if name in CHOICES:
        return None if text in CHOICES[name] else " or ".join(CHOICES[name])
    name = name.removeprefix("BACKUP_")  # what is demanded of the store is demanded of that of the copy
    if name in PATTERNS and not re.fullmatch(PATTERNS[name][0], text):
        return PATTERNS[name][1]
    is_right, must_be = FORMS.get(name, (bool, ""))
    return None if is_right(text) else must_be


def _url(name: str, text: str) -> str | None:
    """Return one message for any error, since the wrong part may be a password."""
    scheme = text.partition("://")[0]
    match = (DATABASE if name == "DATABASE_URL" else URL).fullmatch(text)
    if match and not all(map(_is_ipv6, re.findall(r"\[([^]]*)\]", match["hosts"]))):
        match = None
    if scheme in SCHEMES[name] and match and all(map(_is_port, re.findall(r":([0-9]+)(?:,|$)", match["hosts"]))):
        return _redis_url(match) if name == "REDIS_URL" else None
    return (
        f"a URL that starts with {SCHEMES[name][0]}:// and names a host; in a user or password everything but "
        "letters, digits and -._~ is percent-encoded, as %25 for % and %2F for /"
    )


def _redis_url(match: re.Match[str]) -> str | None:
    is_right = re.fullmatch(r"(?:/[0-9]{0,5})?", match["path"] or "") and REDIS_OPTIONS.fullmatch(
        match["query"] or ""
    )
    return None if is_right else "a URL that ends with the number of a database, with no options but ssl_..."


def _is_pem(text: str) -> bool:
    try:
        return b"-----BEGIN CERTIFICATE-----" in Path(text).read_bytes()
    except (OSError, ValueError):
        return False


def _is_ipv6(text: str) -> bool:
    try:
        address, _, zone = text.partition("%25")
        return bool(IPv6Address(address)) and zone.isalnum() == bool(zone)
    except ValueError:
        return False


def _is_port(text: str) -> bool:
    return bool(re.fullmatch("[1-9][0-9]{0,4}", text)) and int(text) <= LAST_PORT


def _is_moment(text: str) -> bool:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return False
    return moment.tzinfo is not None and moment.year in YEARS


def _is_day(text: str) -> bool:
    try:
        return date.fromisoformat(text).year in YEARS
    except ValueError:
        return False


def _is_host(text: str) -> bool:
    return bool(re.fullmatch(NAME, text)) or _is_ipv6(text)


FORMS: dict[str, tuple[Callable[[str], bool], str]] = {
    "TELEMETRY_HOST": (_is_host, "the name or the address of a host"),
    "WEB_HOST": (_is_host, "the name or the address of a host"),
    "TELEMETRY_PORT": (_is_port, f"a port, 1 to {LAST_PORT}"),
    "WEB_PORT": (_is_port, f"a port, 1 to {LAST_PORT}"),
    "NOW": (_is_moment, f"an ISO time with its zone, such as 2026-11-23T12:00:00Z, of {YEARS[0]} to {YEARS[-1]}"),
    "SINCE": (_is_day, f"a date, such as 2025-01-03, of {YEARS[0]} to {YEARS[-1]}"),
}
