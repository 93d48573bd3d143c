"""Commands with examples that refuse empty values, and text that a server would refuse."""

from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import typer
from typer.core import TyperCommand
from typer.main import get_command, get_command_name

from otcpipe.cli.commands import conversion
from otcpipe.cli.commands.options import NoPager


class Command(TyperCommand):
    """A command that checks its arguments and options as typed."""

    examples: tuple[str, ...] = ()

    def __init__(self, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        declared: list[Any] = self.params
        for parameter in declared:
            if parameter.param_type_name == "argument":  # its type says nothing that its name does not
                parameter.display_type_rich = lambda *_, **__: ""

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """Return the words of the usage line, a required argument without braces."""
        return [piece.replace("{", "").replace("}", "") for piece in super().collect_usage_pieces(ctx)]

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse arguments. Raises BadParameter for an empty value, which is likely an unset variable."""
        conversion.defer(self.get_params(ctx))
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

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        """Write the examples, each in a line of its own."""
        super().format_epilog(ctx, formatter)
        with formatter.section("Examples"):
            for example in self.examples:
                formatter.write(f"{'':>{formatter.current_indent}}{example}\n")


class Listing(Command):
    """A command whose output is shown in a pager if it is longer than the screen."""

    def __init__(self, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self.params.append(_no_pager())

    def invoke(self, ctx: Any) -> Any:
        """Run the command, in a pager unless --no-pager is given."""
        from otcpipe.cli.pager import paged

        if ctx.params.pop("no_pager"):
            return super().invoke(ctx)
        with paged():
            return super().invoke(ctx)


class Change(Command):
    """A command that changes what is stored, which only the release that migrated the database may do."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command; raises Outdated if a newer release migrated the database."""
        from otcpipe.cli import release

        release.require_current()
        return super().invoke(ctx)


class Commands(typer.Typer):
    """A group of such commands; its name is the heading in the help."""

    def __init__(self, heading: str = "", **more: Any) -> None:
        super().__init__(**more)
        self._heading = heading or None

    def command(
        self, name: str | None = None, *, examples: tuple[str, ...] = (), **more: Any
    ) -> Callable[[Any], Any]:
        """Declare a command with examples, which its help shows."""
        kind = type("Example", (more.pop("cls", Command),), {"examples": examples})
        return super().command(name, cls=kind, **({"rich_help_panel": self._heading} | more))

    def only(self, name: str) -> "Commands | None":
        """Return a group of the command of this name alone; None if it has no such command."""
        found = [one for one in self.registered_commands if _name(one) == name]
        alone = Commands(self._heading or "")
        alone.registered_commands = found
        return alone if found else None

    def listing(self, name: str | None = None, **more: Any) -> Callable[[Any], Any]:
        """Declare a command that prints a listing."""
        return self.command(name, cls=Listing, **more)

    def change(self, name: str | None = None, **more: Any) -> Callable[[Any], Any]:
        """Declare a command that changes what is stored."""
        return self.command(name, cls=Change, **more)


@cache
def _no_pager() -> Any:
    """Return the option --no-pager, which every listing has."""
    shared = typer.Typer(add_completion=False)

    @shared.command()
    def listing(*, no_pager: NoPager = False) -> None:
        """Have the option."""

    return next(option for option in get_command(shared).params if option.name == "no_pager")


def _name(one: typer.models.CommandInfo) -> str:
    return one.name or get_command_name(one.callback.__name__ if one.callback else "")


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
