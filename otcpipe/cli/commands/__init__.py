"""The commands, in the order of the help. Each imports its implementation when it runs, so that --help is fast."""

import typer

from otcpipe.cli.commands import collect, dlq, operate, read, repair

typer_app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="FINRA's weekly off-exchange volume: every version kept, every number provable.",
    epilog="Data: FINRA OTC (ATS & Non-ATS) Transparency. Exit codes: 1 failure, 2 usage, 3 a server is unreachable.",
)
for group in (operate.commands, collect.commands, read.commands, repair.commands):
    typer_app.add_typer(group)
typer_app.add_typer(dlq.commands, name="dlq")
