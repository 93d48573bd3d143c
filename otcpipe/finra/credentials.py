"""Optional credentials: an OAuth token for a client's id and secret, renewed before it expires, never logged."""

import time
from threading import Lock
from urllib.parse import urlsplit

from otcpipe.errors import Defective, Invalid, Permanent
from otcpipe.finra.responses import (
    BAD_REQUEST,
    FORBIDDEN,
    NOT_ENTITLED,
    UNAUTHORIZED,
    check,
    is_from_finra,
    load_json,
)
from otcpipe.finra.transport import Transport
from otcpipe.settings import Settings

MARGIN = 60.0  # seconds before its expiry at which a token is renewed
MAX_LIFETIME = 86_400.0  # seconds, whatever FINRA says
MAX_REFUSALS = 2  # in a row, of new tokens; beyond that, the client itself lacks access
LOOPBACK = ("127.0.0.1", "localhost", "::1")


class Credentials:
    """Provides the Authorization header of each request; none without a client id."""

    def __init__(self, settings: Settings, transport: Transport) -> None:
        self._settings = settings
        self._transport = transport
        self._token, self._until, self._lock = "", 0.0, Lock()
        self._refusals = 0  # in a row

    def header(self) -> dict[str, str]:
        """Return the header, empty without a client id; raises Invalid if a URL is neither https nor loopback."""
        if not self._settings["FINRA_CLIENT_ID"]:
            return {}
        for name in ("FINRA_URL", "FINRA_TOKEN_URL"):
            url = urlsplit(self._settings[name])
            if url.scheme != "https" and url.hostname not in LOOPBACK:
                raise Invalid(f"OTCPIPE_{name} must be https, since credentials are sent to it.")
        with self._lock:
            if not self._token or time.monotonic() > self._until:
                self._renew()
            return {"Authorization": f"Bearer {self._token}"}

    def note_accepted(self) -> None:
        """Note that FINRA accepted the token."""
        self._refusals = 0

    def note_refused(self, header: dict[str, str]) -> bool:
        """Discard the token of a refused request; return False if the request had none.

        Raises Permanent if FINRA refuses new tokens too.
        """
        if not header:
            return False
        with self._lock:
            if header == {"Authorization": f"Bearer {self._token}"}:
                self._token = ""
                self._refusals += 1
            if self._refusals > MAX_REFUSALS:
                self._refusals = 0
                raise Permanent(NOT_ENTITLED)
        return True

    def _renew(self) -> None:
        answer = self._transport.send(
            "POST",
            self._settings["FINRA_TOKEN_URL"],
            params={"grant_type": "client_credentials"},
            auth=(self._settings["FINRA_CLIENT_ID"], self._settings["FINRA_CLIENT_SECRET"]),
        )
        if answer.status in (BAD_REQUEST, UNAUTHORIZED, FORBIDDEN) and is_from_finra(answer):
            raise Permanent("FINRA refuses OTCPIPE_FINRA_CLIENT_ID with its secret: check both.")
        check(answer, has_credentials=True)
        try:
            granted = load_json(answer.body)
            seconds = min(MAX_LIFETIME, float(granted["expires_in"]))
            token = granted["access_token"]
            if not (isinstance(token, str) and token.isascii() and token.isprintable() and token):
                raise ValueError("no token")
            self._token, self._until = token, time.monotonic() + seconds - MARGIN
        except (ValueError, KeyError, TypeError, OverflowError):
            raise Defective("FINRA's answer to the credentials contains no token.") from None
