"""The role otcpipe_reader: it reads schema `otc` and writes nothing."""

from otcpipe.errors import Unready
from otcpipe.storage import sql
from otcpipe.storage.transaction import Transaction

ROLE = "otcpipe_reader"
NOT_ALLOWED = (
    f"The role in OTCPIPE_DATABASE_URL may not create roles: as an administrator run `create role {ROLE} login`"
    f" and `grant {ROLE} to` that role `with admin option`, then run `otcpipe migrate --reader` again."
)


def make(transaction: Transaction, password: str | None = None) -> None:
    """Create the role, or renew its rights; set its password if one is given, else leave it.

    Raises Unready if the role is missing and the session may not create it.
    """
    found = transaction.rows("has_reader")[0]
    if not found["is_made"]:
        if not found["may_create"]:
            raise Unready(NOT_ALLOWED)
        transaction.run("create_reader")
    if password:
        pg = transaction.connection.pgconn
        verifier = pg.encrypt_password(password.encode(), ROLE.encode(), b"scram-sha-256").decode()
        transaction.script(sql.statements()["password_of_reader"], verifier=verifier)
    transaction.script(sql.statements()["grant_reader"])


def exists(transaction: Transaction) -> bool:
    """Return whether the role exists."""
    return bool(transaction.rows("has_reader")[0]["is_made"])
