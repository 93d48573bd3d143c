"""Open psql on the database, as the role that only reads."""

import os
import signal
import subprocess
import sys
from collections.abc import Sequence

from otcpipe import resources
from otcpipe.errors import OtcpipeError
from otcpipe.stack import binaries
from otcpipe.storage import reader

OPTIONS = f"-c role={reader.ROLE} -c default_transaction_read_only=on -c statement_timeout=5min -c search_path=otc"
SIGNALLED = 128  # as shells count an end by a signal


def sql(statements: Sequence[str], *, as_csv: bool = False) -> None:
    """Run psql, with its exit code: on the statements in their order, else as a terminal.

    The password is in its environment, where other users cannot see it. Ctrl-C cancels a query, and raises
    KeyboardInterrupt if that was all; at psql's prompt it ends nothing else.
    """
    database = resources.database()
    program = binaries.psql()
    variables = database.client_environment()
    if program is None:
        url = f"postgresql://{variables.get('PGUSER', '')}@{database.address}/{variables.get('PGDATABASE', '')}"
        raise OtcpipeError(
            f"psql is not installed: connect any client to {url}, with the password in OTCPIPE_DATABASE_URL"
            f" (`otcpipe env` prints it), or run `pip install 'otcpipe[local]'`."
        )
    with database.transaction() as transaction:
        if not reader.exists(transaction):
            raise OtcpipeError(f"The database has no role {reader.ROLE}: run `otcpipe migrate --reader`.")
    command = [
        str(program),
        "--no-psqlrc",
        *(["--csv"] if as_csv else []),
        *(f"--command={one}" for one in statements),
    ]
    given = {name: text for name, text in os.environ.items() if not name.startswith(("PG", "OTCPIPE_"))}
    options = f"{variables.get('PGOPTIONS', '')} {OPTIONS}".strip()
    sys.stdout.flush()
    interrupts: list[int] = []
    signal.signal(signal.SIGINT, lambda number, _: interrupts.append(number))  # Ctrl-C is psql's: it cancels a query
    done = subprocess.run(command, env=given | variables | {"PGOPTIONS": options}, check=False)  # noqa: S603 - of the wheel, or on PATH
    if done.returncode == -signal.SIGINT or (statements and interrupts):
        raise KeyboardInterrupt
    sys.exit(done.returncode if done.returncode >= 0 else SIGNALLED - done.returncode)
