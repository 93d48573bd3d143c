"""FINRA's weekly off-exchange volume: every version kept, every number provable."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from otcpipe.frames import read

__all__ = ["read"]


def __getattr__(name: str) -> Any:
    """Import `read` on first use: pandas takes longer to import than most commands to run."""
    if name == "read":
        return import_module("otcpipe.frames").read
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
