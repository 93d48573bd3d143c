"""Whether this release may change the database."""

from otcpipe import resources
from otcpipe.errors import OtcpipeError, Outdated
from otcpipe.storage import migrations


def require_current() -> None:
    """Raise Outdated if a newer release migrated the database; what else is wrong, the command itself reports."""
    try:
        with resources.database().transaction() as transaction:
            migrations.refuse_newer(transaction)
    except Outdated:
        raise
    except OtcpipeError:
        return
