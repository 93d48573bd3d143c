"""Commands that watch the work: the schedule, checks, figures and alerts."""

from typing import Annotated

import typer

from otcpipe.cli.commands import completion
from otcpipe.cli.commands.command import Commands
from otcpipe.cli.commands.options import Csv, Json
from otcpipe.cli.form import Form, chosen
from otcpipe.errors import Invalid

commands = Commands("Operate")


@commands.command(
    examples=(
        "otcpipe telemetry",
        "OTCPIPE_TELEMETRY_PORT=9200 otcpipe telemetry",
    ),
)
def telemetry() -> None:
    """Serve the pipeline's figures to Prometheus."""
    from otcpipe.cli import monitoring

    monitoring.serve_telemetry()


@commands.command(
    examples=(
        "otcpipe alert --list",
        "otcpipe alert --test",
    ),
)
def alert(
    *,
    only_list: Annotated[bool, typer.Option("--list", help="Print what needs a person; send no alert.")] = False,
    test: Annotated[bool, typer.Option("--test", help="Send a test message to every receiver.")] = False,
    as_json: Json = False,
    as_csv: Csv = False,
) -> None:
    """Notify the receivers of OTCPIPE_ALERT_URLS of what needs a person, once; the scheduler does so too."""
    from otcpipe.cli import alert

    form = chosen(as_json=as_json, as_csv=as_csv)
    if only_list and test:
        raise Invalid("--list and --test exclude each other.")
    if form is not Form.TABLE and not only_list:
        raise Invalid("--json and --csv go with --list.")
    if only_list:
        alert.list_conditions(form)
    elif test:
        alert.test()
    else:
        alert.alert()


@commands.command(
    examples=(
        "otcpipe doctor",
        "otcpipe doctor --queue compute",
    ),
)
def doctor(
    *,
    queue: Annotated[
        str | None,
        typer.Option(
            metavar="STAGE",
            autocompletion=completion.stages,
            help="Only check that a worker on this machine consumes a queue, or each of several: 'persist compute'.",
        ),
    ] = None,
    as_json: Json = False,
    as_csv: Csv = False,
) -> None:
    """Check servers, schema, bucket, FINRA, clocks, queues and disk, and say what to do."""
    from otcpipe.cli import monitoring

    monitoring.examine(queue, chosen(as_json=as_json, as_csv=as_csv))


@commands.command(
    examples=(
        "otcpipe schedule --list",
        "otcpipe schedule --once",
    ),
)
def schedule(
    *,
    show: Annotated[bool, typer.Option("--list", help="Show each job's last and next fire.")] = False,
    once: Annotated[bool, typer.Option("--once", help="Run what is due now, then exit.")] = False,
    as_json: Json = False,
    as_csv: Csv = False,
) -> None:
    """Run the weekly jobs at their times, and those that were missed; Ctrl-C stops it."""
    from otcpipe.cli import schedule as implementation

    if show:
        implementation.show(chosen(as_json=as_json, as_csv=as_csv))
    elif once:
        implementation.once()
    else:
        implementation.run()
