"""The conversion of what was typed to the types of parameters, without pydantic where nothing is to be converted.

Importing it takes a quarter of the time of a small command.
"""

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

PLAIN = (str, int, bool)  # types of which a value is always valid: defaults are, and text typed for a text


def defer(parameters: Iterable[Any]) -> None:
    """Let the parameters import pydantic only for a value that has not the type of its parameter."""
    for parameter in parameters:
        if not isinstance(parameter.get_runtime_param, partial):
            parameter.get_runtime_param = partial(_Conversion, parameter.get_runtime_param)


class _Conversion:
    """What Typer asks to convert a value; `full` returns its own."""

    def __init__(self, full: Callable[[], Any]) -> None:
        self._full = full

    def coerce(self, value: Any, param: Any, ctx: Any) -> Any:
        """Return the value in the type of its parameter; raises BadParameter if it cannot be converted."""
        if value is None:
            return () if param.multiple or param.nargs == -1 else None
        kind = param.type_descriptor.annotation
        return (
            value if kind in PLAIN and isinstance(value, kind) else self._full().coerce(value, param=param, ctx=ctx)
        )
