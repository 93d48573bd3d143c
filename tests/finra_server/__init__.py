"""A local server that speaks FINRA's weekly OTC API, faults included."""

from .dataset import Dataset, Key
from .faults import ALWAYS, Fault, Faults, Framing, Kind, chaos
from .generate import cached, generate
from .listener import Seen
from .publication import published_on
from .roster import FULL, SMALL
from .rows import FIELDS, Row
from .server import FinraServer
from .sources import generated, recorded
from .tokens import Tokens

__all__ = [
    "ALWAYS",
    "FIELDS",
    "FULL",
    "SMALL",
    "Dataset",
    "Fault",
    "Faults",
    "FinraServer",
    "Framing",
    "Key",
    "Kind",
    "Row",
    "Seen",
    "Tokens",
    "cached",
    "chaos",
    "generate",
    "generated",
    "published_on",
    "recorded",
]
