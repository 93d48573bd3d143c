"""Groups of commands, whose help lists them under headings with their whole description."""

from typing import Any

from typer.core import TyperGroup

from otcpipe.cli.commands import conversion


class Group(TyperGroup):
    """A group whose commands are listed by their panel."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the options of the group, such as --version."""
        conversion.defer(self.get_params(ctx))
        return super().parse_args(ctx, args)

    def format_commands(self, _: Any, formatter: Any) -> None:
        """Write each command with its description, which wraps and is never cut."""
        sections: dict[str, list[tuple[str, str]]] = {}
        for name, command in self.commands.items():
            summary = " ".join((command.help or "").split("\n\n")[0].split())
            heading = getattr(command, "rich_help_panel", None) or "Commands"
            sections.setdefault(str(heading), []).append((name, summary))
        for heading, rows in sections.items():
            with formatter.section(heading):
                formatter.write_dl(rows)
