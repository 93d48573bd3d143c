"""Stop the local stack, print its variables, migrate its database."""

import os
import secrets
import shlex
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path

from otcpipe import settings
from otcpipe.cli.console import say
from otcpipe.errors import Invalid, OtcpipeError, StackFailed
from otcpipe.metrics import definitions
from otcpipe.stack import state
from otcpipe.storage import postgres, reader, s3
from otcpipe.text.printable import printable

STOP_SECONDS = 60


def down() -> None:
    """Stop the stack of this home and wait until it has ended; raises StackFailed after a minute."""
    home = settings.load(_without_servers()).home
    running = _running(home)
    if running is None:
        say(f"No stack runs in {home}.")
        return
    os.kill(running.pid, signal.SIGTERM)
    deadline = time.monotonic() + STOP_SECONDS
    while _running(home) == running:  # its state file is removed last
        if time.monotonic() > deadline:
            raise StackFailed(f"The stack in {home} (process {running.pid}) does not stop.")
        time.sleep(0.05)
    say(f"Stopped the stack in {home}.")


def env() -> None:
    """Print the running stack's variables as `export` lines; raises Invalid if none runs."""
    home = settings.load(_without_servers()).home
    running = _running(home)
    if running is None:
        raise Invalid(f"No stack runs in {home}: start one with `otcpipe up`.")
    for name, text in (running.environment | {"OTCPIPE_HOME": str(home)}).items():
        sys.stdout.write(f"export {name}={shlex.quote(text)}\n")


def migrate(password_file: Path | None, *, with_reader: bool) -> None:
    """Apply missing migrations, create the bucket and the role that reads, on demand with a new password."""
    found = settings.load()
    password = _password(password_file) if password_file else secrets.token_urlsafe(24)
    database = postgres.Database(found["DATABASE_URL"])
    applied, added = definitions.migrate(database)
    s3.ObjectStore(found).create_bucket()
    if applied or not added:
        say(f"Applied {', '.join(applied)}." if applied else "The schema is up to date.")
    if added:
        say(f"New: {', '.join(added)}. Of the weeks that are loaded, they are computed within minutes.")
    if not with_reader and not password_file:
        _make_reader(database)
        return
    with database.transaction() as transaction:
        reader.make(transaction, password)
    name = database.client_environment().get("PGDATABASE", "")
    say(f"Role {reader.ROLE} reads schema otc: postgresql://{reader.ROLE}@{database.address}/{name}")
    if not password_file:
        say(f"Its new password, shown only now: {password}")


def _make_reader(database: postgres.Database) -> None:
    """Create the role that the pages read as, without a password, or renew its rights, as far as the session may."""
    with suppress(OtcpipeError), database.transaction() as transaction:
        reader.make(transaction)


def _password(file: Path) -> str:
    try:
        text = file.read_text(encoding="utf-8").strip()
    except (OSError, ValueError):
        raise Invalid("The file of --reader-password-file cannot be read as text.") from None
    if not text or printable(text) != text or "\n" in text:
        raise Invalid("The file of --reader-password-file must hold one line, the password.")
    return text


def _running(home: Path) -> state.State | None:
    found = state.read(home)
    return found if found and state.is_alive(found) else None


def _without_servers() -> dict[str, str]:
    """Return the environment without server variables, which may belong to another home."""
    return {
        name: text
        for name, text in settings.expand(os.environ).items()
        if name == "OTCPIPE_HOME" or not name.startswith("OTCPIPE_")
    }
