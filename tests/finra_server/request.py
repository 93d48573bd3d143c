"""What comes in over the socket, before anyone has looked at its meaning."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit


@dataclass(frozen=True)
class Request:
    """`headers` have lower-case names."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes = b""

    @property
    def path(self) -> str:
        return urlsplit(self.target).path

    @property
    def wants_json(self) -> bool:
        return "application/json" in self.headers.get("accept", "")

    @property
    def takes_gzip(self) -> bool:
        return "gzip" in self.headers.get("accept-encoding", "")


def body_of_get(target: str) -> bytes:
    """What a GET may say: its filters are ignored, as is all that is not known."""
    said = {name: values[-1] for name, values in parse_qs(urlsplit(target).query).items()}
    numbers = {name: int(said[name]) for name in ("limit", "offset") if said.get(name, "").isdigit()}
    fields = {"fields": said["fields"].split(",")} if "fields" in said else {}
    return json.dumps({**numbers, **fields}).encode()
