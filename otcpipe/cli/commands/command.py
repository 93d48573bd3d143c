"""Commands that refuse empty values, and text that a server would refuse."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import typer
from typer.core import TyperCommand


class Command(TyperCommand):
    """A command that checks its arguments and options as typed."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse arguments. Raises BadParameter for an empty value, which is likely an unset variable."""
        typed, _, _ = self.make_parser(ctx).parse_args(args=list(args))
        rest = super().parse_args(ctx, args)
        if "symbol" in ctx.params and isinstance(ctx.params["symbol"], str):
            ctx.params["symbol"] = (
                ctx.params["symbol"].encode(errors="replace").decode()
            )  # such a symbol is never stored
        parameters: list[Any] = self.get_params(ctx)
        for parameter in parameters:
            value = ctx.params.get(parameter.name)
            for text in _texts(typed.get(parameter.name)):
                reason = _objection(text, is_bytes=parameter.name == "symbol" or _is_path(value))
                if reason:
                    raise typer.BadParameter(reason, ctx=ctx, param=parameter)
        return rest


class Commands(typer.Typer):
    """A group of such commands."""

    def command(self, name: str | None = None, **more: Any) -> Callable[[Any], Any]:
        """Declare a command of class Command."""
        return super().command(name, cls=Command, **more)


def _texts(typed: object) -> Iterator[str]:
    if isinstance(typed, str):
        yield typed
    elif isinstance(typed, list | tuple):
        for one in typed:
            yield from _texts(one)


def _objection(text: str, *, is_bytes: bool) -> str | None:
    if not text.strip():
        return "it is empty"
    if "\0" in text:
        return "it holds a NUL"
    try:
        text.encode(errors="surrogateescape" if is_bytes else "strict")
    except UnicodeEncodeError:
        return "it is not UTF-8"
    return None


def _is_path(value: object) -> bool:
    return isinstance(value, Path) or (isinstance(value, list | tuple) and any(map(_is_path, value)))
