"""Commands that operate servers, workers and the scheduler."""

from pathlib import Path
from typing import Annotated

import typer

from otcpipe.cli.commands.command import Commands
from otcpipe.cli.commands.options import Json

commands = Commands("Operate")


@commands.command(
    examples=(
        "otcpipe up",
        "otcpipe up --workers 4",
    ),
)
def up(
    *,
    servers_only: Annotated[bool, typer.Option("--servers-only", help="Start no workers and no scheduler.")] = False,
    workers: Annotated[int, typer.Option(min=1, max=64, metavar="N", help="Number of worker processes.")] = 2,
) -> None:
    """Start PostgreSQL, Valkey, SeaweedFS, workers, scheduler, telemetry and pages; Ctrl-C stops them."""
    from otcpipe.cli import up as implementation

    implementation.up(0 if servers_only else workers)


@commands.command(
    examples=(
        "otcpipe down",
        "OTCPIPE_HOME=/srv/otcpipe otcpipe down",
    ),
)
def down() -> None:
    """Stop the stack that `otcpipe up` started."""
    from otcpipe.cli import stack

    stack.down()


@commands.command(
    examples=(
        "otcpipe env",
        'eval "$(otcpipe env)"',
    ),
)
def env() -> None:
    """Print `export` lines for the running stack: eval "$(otcpipe env)"."""
    from otcpipe.cli import stack

    stack.env()


@commands.command(
    examples=(
        "otcpipe migrate",
        "otcpipe migrate --reader",
    ),
)
def migrate(
    *,
    reader: Annotated[
        bool, typer.Option("--reader", help="Create the role otcpipe_reader, or give it a new password.")
    ] = False,
    password_file: Annotated[
        Path | None, typer.Option("--reader-password-file", metavar="FILE", help="Its password; default: a new one.")
    ] = None,
) -> None:
    """Bring the database to the newest schema, and create the bucket."""
    from otcpipe.cli import stack

    stack.migrate(password_file, with_reader=reader)


@commands.command(
    examples=(
        "otcpipe backup --to s3://copies/otcpipe",
        "otcpipe backup --check --to DIR",
    ),
)
def backup(
    *,
    place: Annotated[
        str | None, typer.Option("--to", metavar="PLACE", help="DIR or s3://BUCKET/PREFIX; default: OTCPIPE_BACKUP.")
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Copy nothing: read the bucket, and the copy if any.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Copy observations, imports and decisions elsewhere, verified; only what is new is copied."""
    from otcpipe.cli import backup as implementation

    implementation.backup(place, only_check=check, as_json=as_json)


@commands.command(
    examples=(
        "otcpipe sql",
        'otcpipe sql --csv "select * from otc.venue_share limit 5"',
    ),
)
def sql(
    statement: Annotated[str | None, typer.Argument(metavar="SQL", help="A statement to run; then it exits.")] = None,
    *,
    statements: Annotated[
        list[str] | None, typer.Option("-c", "--command", metavar="SQL", help="Run it and exit; may be repeated.")
    ] = None,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print the results as CSV.")] = False,
) -> None:
    """Open psql on the database, as a role that only reads."""
    from otcpipe.cli import sql as implementation

    implementation.sql([*([statement] if statement else []), *(statements or [])], as_csv=as_csv)


@commands.command(
    examples=(
        "otcpipe serve",
        "otcpipe serve --port 8080",
    ),
)
def serve(
    *,
    host: Annotated[
        str | None,
        typer.Option(metavar="HOST", help="Address to listen on; beyond this machine only with OTCPIPE_WEB_TOKEN."),
    ] = None,
    port: Annotated[int | None, typer.Option(min=1, max=65535, metavar="PORT", help="Default: 8421.")] = None,
) -> None:
    """Serve pages for browsers and a JSON API, read-only; Ctrl-C stops it."""
    from otcpipe.cli import serve as implementation

    implementation.serve(host, port)


@commands.command(
    examples=(
        "otcpipe mcp",
        "otcpipe mcp --http --port 8422",
    ),
)
def mcp(
    *,
    http: Annotated[bool, typer.Option("--http", help="Serve over HTTP, not on standard input.")] = False,
    host: Annotated[
        str | None,
        typer.Option(metavar="HOST", help="With --http; beyond this machine only with OTCPIPE_WEB_TOKEN."),
    ] = None,
    port: Annotated[int | None, typer.Option(min=1, max=65535, metavar="PORT", help="Default: 8422.")] = None,
) -> None:
    """Serve read-only tools to assistants, by the Model Context Protocol."""
    from otcpipe.cli import serve as implementation

    implementation.mcp(host, port, is_http=http)
