"""FINRA's weekly off-exchange volume: every version kept, every number provable."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from otcpipe.frames.listing import columns, tables
    from otcpipe.frames.reading import read

__all__ = ["columns", "read", "tables"]
PLACES = {"columns": "listing", "read": "reading", "tables": "listing"}


def __getattr__(name: str) -> Any:
    """Import what notebooks use on first use: pandas takes longer to import than most commands to run."""
    if name in PLACES:
        return getattr(import_module(f"otcpipe.frames.{PLACES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    """Return what notebooks use, for completion; it is imported only when it is used."""
    return sorted({*globals(), *__all__})
