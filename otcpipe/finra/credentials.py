"""Optional credentials: a token for a client's id and secret, renewed before its time. They never show."""

import time
from threading import Lock
from urllib.parse import urlsplit

import requests

from otcpipe.errors import Defective, Invalid, Permanent
from otcpipe.finra.answers import BAD_REQUEST, check
from otcpipe.settings import Settings

MARGIN = 60.0  # seconds before a token's end
LOOPBACK = ("127.0.0.1", "localhost", "::1")


class Credentials:
    """The Authorization header of each request; none without a client id."""

    def __init__(self, settings: Settings, session: requests.Session, timeout: tuple[float, float]) -> None:
        self._settings = settings
        self._session = session
        self._timeout = timeout
        self._token, self._until, self._lock = "", 0.0, Lock()

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

    def drop(self) -> bool:
        """Forget a token that is no longer accepted; whether there was one."""
        had, self._token = bool(self._token), ""
        return had

    def _renew(self) -> None:
        response = self._session.post(
            self._settings["FINRA_TOKEN_URL"],
            params={"grant_type": "client_credentials"},
            auth=(self._settings["FINRA_CLIENT_ID"], self._settings["FINRA_CLIENT_SECRET"]),
            timeout=self._timeout,
            allow_redirects=False,
        )
        if response.status_code == BAD_REQUEST:
            raise Permanent("FINRA refuses OTCPIPE_FINRA_CLIENT_ID with its secret.")
        check(response)
        try:
            answer = response.json()
            self._token = str(answer["access_token"])
            self._until = time.monotonic() + float(answer["expires_in"]) - MARGIN
        except (ValueError, KeyError, TypeError):
            raise Defective("FINRA's answer to the credentials holds no token.") from None
