"""FINRA's credentials: a client id and secret for a token that expires."""

import secrets
import time
from base64 import b64encode
from dataclasses import dataclass
from threading import Lock


class Tokens:
    """The tokens given out for one client; `seconds` is how long each lives."""

    def __init__(self, client_id: str = "client", secret: str = "secret", seconds: float = 43_169) -> None:
        self._basic = "Basic " + b64encode(f"{client_id}:{secret}".encode()).decode()
        self.seconds = seconds
        self.issued = 0
        self._ends: dict[str, float] = {}
        self._lock = Lock()

    def issue(self, authorization: str) -> dict[str, object] | None:
        """The answer to right credentials; None for wrong ones."""
        if authorization != self._basic:
            return None
        token = secrets.token_urlsafe(24)
        with self._lock:
            self.issued += 1
            self._ends[token] = time.monotonic() + self.seconds
        return {"access_token": token, "expires_in": int(self.seconds), "token_type": "Bearer"}

    def admits(self, authorization: str) -> bool:
        scheme, _, token = authorization.partition(" ")
        return scheme == "Bearer" and self._ends.get(token, 0) > time.monotonic()

    def expire(self) -> None:
        """Ends every token now, before the time that it was given."""
        with self._lock:
            self._ends.clear()


@dataclass(frozen=True)
class Access:
    """Who may ask. A bad token is refused even where none is required."""

    tokens: Tokens
    required: bool = False
    forbidden: bool = False

    def refusal(self, authorization: str | None) -> tuple[int, str] | None:
        if authorization is None and not self.required:
            return None
        if not self.tokens.admits(authorization or ""):
            return 401, "Unauthorized: a valid access token is required"
        return (403, "Forbidden: not entitled to the dataset") if self.forbidden else None
