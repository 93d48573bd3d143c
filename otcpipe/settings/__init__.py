"""Settings: from the environment first, then from the state file of a running local stack.

`OTCPIPE_X_FILE` names a file that holds the value of `OTCPIPE_X`, as container secrets do.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

from otcpipe import weeks
from otcpipe.datasets import TIERS
from otcpipe.errors import Invalid
from otcpipe.settings.home import find as find_home
from otcpipe.settings.syntax import SCHEMES, requirement

SERVERS = ("DATABASE_URL", "REDIS_URL", "S3_ENDPOINT", "S3_ACCESS_KEY", "S3_SECRET_KEY")
DEFAULTS = {
    "HOME": "",  # see settings.home
    "S3_BUCKET": "otcpipe",
    "S3_REGION": "us-east-1",
    "S3_PREFIX": "finra/otc",
    "FINRA_URL": "https://api.finra.org",
    "FINRA_RATE": "18",
    "FINRA_FORMAT": "text",
    "FINRA_PROXY": "",
    "CA_BUNDLE": "",
    "FINRA_CLIENT_ID": "",
    "FINRA_CLIENT_SECRET": "",
    "FINRA_TOKEN_URL": "https://ews.fip.finra.org/fip/rest/ews/oauth2/access_token",
    "CONTACT": "",
    "LEASE": "15",
    "LOG": "text",
    "TRACES_URL": "",
    "TELEMETRY_HOST": "127.0.0.1",
    "TELEMETRY_PORT": "9464",
    "WEB_HOST": "127.0.0.1",
    "WEB_PORT": "8421",
    "WEB_TOKEN": "",
    "WEB_ORIGINS": "https://pro.openbb.co",
    "NOW": "",
    "SINCE": "",
    "TIERS": ",".join(TIERS),
    "PUBLISH": "",
    "BACKUP": "",
    "BACKUP_S3_ENDPOINT": "",
    "BACKUP_S3_ACCESS_KEY": "",
    "BACKUP_S3_SECRET_KEY": "",
    "BACKUP_S3_REGION": "",
    "SCHEDULE_TIER1": "0 6 * * wed",
    "SCHEDULE_TIER2": "0 7 * * wed",
    "SCHEDULE_ROLLING": "0 8 * * wed",
    "SCHEDULE_PUBLICATION": "10,40 6-9 * * mon,tue",  # on a Monday, or on the Tuesday after a holiday
    "SCHEDULE_RECONCILE": "*/5 * * * *",
    "SCHEDULE_REFRESH": "0 18 * * thu",
    "SCHEDULE_HISTORY": "*/10 * * * *",
    "SCHEDULE_CHECK": "0 9 * * *",
    "SCHEDULE_ALERT": "*/5 * * * *",
    "ALERT_URLS": "",
    "ALERT_SYMBOLS": "",
    "ALERT_SHARES": "10000000",
}
SECRETS = (
    *("S3_ACCESS_KEY", "S3_SECRET_KEY", "BACKUP_S3_ACCESS_KEY", "BACKUP_S3_SECRET_KEY"),
    *("FINRA_CLIENT_ID", "FINRA_CLIENT_SECRET", "WEB_TOKEN"),
)
FILE_SUFFIX = "_FILE"


@dataclass(frozen=True)
class Settings:
    """Values by name without `OTCPIPE_`; the repr omits them, since some are secrets."""

    values: Mapping[str, str] = field(repr=False)
    overridden: tuple[str, ...] = ()  # variables of the environment that differ from those of the running stack

    def __getitem__(self, name: str) -> str:
        """Return a value or its default; raises Invalid for a server that is neither set nor running locally."""
        value = self.values.get(name, DEFAULTS.get(name, ""))
        if not value and name in SERVERS:
            raise Invalid(
                f"OTCPIPE_{name} is not set and no local stack runs in {self.home}: start one with `otcpipe up`."
            )
        return value

    @property
    def home(self) -> Path:
        """The absolute path of the directory of the local stack."""
        return Path(self["HOME"])

    def secrets(self) -> set[str]:
        """Return all secrets, passwords both as a URL writes them and decoded; `Redaction` covers URLs."""
        texts = {self.values.get(name, "") for name in SECRETS}
        for name in SCHEMES:
            parts = urlsplit(self.values.get(name, ""))
            options = [text for key, text in parse_qsl(parts.query) if "password" in key]
            texts |= {parts.password or "", unquote(parts.password or ""), *options}
        return (texts | set(self["ALERT_URLS"].split())) - {""}

    @property
    def since(self) -> date | None:
        """The Friday of the first week expected; None if OTCPIPE_SINCE is not set, when requests decide."""
        return weeks.parse_week(self["SINCE"], self.now()) if self["SINCE"] else None

    @property
    def tiers(self) -> tuple[str, ...]:
        """The tiers that are wanted, in their usual order; raises Invalid for a text that is not a tier."""
        chosen = {weeks.parse_tier(text.strip()) for text in self["TIERS"].split(",")}
        return tuple(tier for tier in TIERS if tier in chosen)

    def now(self) -> datetime:
        """Return the time of the client's clock in UTC; OTCPIPE_NOW freezes it for tests."""
        return datetime.fromisoformat(self["NOW"]).astimezone(UTC) if self["NOW"] else datetime.now(UTC)


def load(environ: Mapping[str, str] | None = None) -> Settings:
    """Read and check all settings; raises Invalid, whose message names the wrong setting but never its value."""
    environ = expand(os.environ if environ is None else environ)
    given = {name.removeprefix("OTCPIPE_"): text for name, text in environ.items() if name.startswith("OTCPIPE_")}
    home = find_home(environ)
    state = _read_state(home / "stack.json")
    found = state | {name: text for name, text in given.items() if text} | {"HOME": str(home)}
    for name, text in found.items():
        _check(name, text)
    overridden = tuple(f"OTCPIPE_{name}" for name, text in state.items() if found[name] != text)
    loaded = Settings(found, overridden)
    _check_wanted(loaded)
    return loaded


def expand(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variables with `OTCPIPE_X_FILE` replaced by `OTCPIPE_X`, the content of the file it names."""
    files = {
        name: text for name, text in environ.items() if name.startswith("OTCPIPE_") and name.endswith(FILE_SUFFIX)
    }
    kept = {name: text for name, text in environ.items() if name not in files}
    return kept | {
        name.removesuffix(FILE_SUFFIX): _read_file(name.removesuffix(FILE_SUFFIX), Path(path), environ)
        for name, path in files.items()
        if path
    }


def _read_file(name: str, path: Path, environ: Mapping[str, str]) -> str:
    if environ.get(name):
        raise Invalid(f"{name} and {name}{FILE_SUFFIX} are both set: keep one of them.")
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, ValueError) as error:  # do not show the path: it may be the secret itself, given by mistake
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise Invalid(f"The file that {name}{FILE_SUFFIX} names cannot be read: {reason}.") from None


def _read_state(state: Path) -> dict[str, str]:
    try:
        if not state.exists():
            return {}
        environment = json.loads(state.read_text())["environment"]
        return {name.removeprefix("OTCPIPE_"): "" + text for name, text in environment.items()}
    except OSError as error:
        raise Invalid(f"{state} cannot be read: {error.strerror}.") from None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise Invalid(f"{state} is not a state file: remove it, then run `otcpipe up`.") from None


def _check(name: str, text: str) -> None:
    if name not in SERVERS and name not in DEFAULTS:
        raise Invalid(f"OTCPIPE_{name} is not a setting of otcpipe.")
    must_be = requirement(name, text)
    if must_be:
        raise Invalid(f"OTCPIPE_{name} must be {must_be}.")


def _check_wanted(found: Settings) -> None:
    try:
        _ = found.tiers
    except Invalid:
        raise Invalid(f"OTCPIPE_TIERS must be tiers separated by commas, of {', '.join(TIERS)}.") from None
    try:
        _ = found.since
    except Invalid:
        must_be = f"a date such as 2025-01-03, of a week that has ended, from {weeks.EARLIEST.year} on"
        raise Invalid(f"OTCPIPE_SINCE must be {must_be}.") from None
