"""Optional credentials: a token for a client's id and secret, renewed before its time. They never show."""

import time
from threading import Lock
from urllib.parse import urlsplit

from otcpipe.errors import Defective, Invalid, Permanent
from otcpipe.finra.responses import BAD_REQUEST, FORBIDDEN, NOT_ENTITLED, UNAUTHORIZED, check, loaded, says_finra
from otcpipe.finra.transport import Transport
from otcpipe.settings import Settings

MARGIN = 60.0  # seconds before a token's end
LONGEST = 86_400.0  # seconds that a token is believed to live
MOST_REFUSALS = 2  # of tokens that were never accepted, before the client itself is at fault
LOOPBACK = ("127.0.0.1", "localhost", "::1")


class Credentials:
    """The Authorization header of each request; none without a client id."""

    def __init__(self, settings: Settings, transport: Transport) -> None:
        self._settings = settings
        self._transport = transport
        self._token, self._until, self._lock = "", 0.0, Lock()
        self._refusals = 0  # of new tokens, one after another

    def header(self) -> dict[str, str]:
        """Raises Invalid rather than send credentials where others can read them."""
        if not self._settings["FINRA_CLIENT_ID"]:
            return {}
        for name in ("FINRA_URL", "FINRA_TOKEN_URL"):
            where = urlsplit(self._settings[name])
            if where.scheme != "https" and where.hostname not in LOOPBACK:
                raise Invalid(f"OTCPIPE_{name} must be https, since credentials are sent there.")
        with self._lock:
            if not self._token or time.monotonic() > self._until:
                self._renew()
            return {"Authorization": f"Bearer {self._token}"}

    def accepted(self) -> None:
        """Note that FINRA accepted the token."""
        self._refusals = 0

    def refused(self, header: dict[str, str]) -> bool:
        """Forget the token of a header that FINRA refused; False if there was none.

        Raises Permanent when FINRA refuses even new tokens.
        """
        if not header:
            return False
        with self._lock:
            if header == {"Authorization": f"Bearer {self._token}"}:
                self._token = ""
                self._refusals += 1
            if self._refusals > MOST_REFUSALS:
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
        if answer.status in (BAD_REQUEST, UNAUTHORIZED, FORBIDDEN) and says_finra(answer):
            raise Permanent("FINRA refuses OTCPIPE_FINRA_CLIENT_ID with its secret: check both.")
        check(answer, has_credentials=True)
        try:
            granted = loaded(answer.body)
            seconds = min(LONGEST, float(granted["expires_in"]))
            self._token, self._until = str(granted["access_token"]), time.monotonic() + seconds - MARGIN
        except (ValueError, KeyError, TypeError, OverflowError):
            raise Defective("FINRA's answer to the credentials holds no token.") from None
