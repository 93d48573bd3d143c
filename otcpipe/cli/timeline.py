"""Print the first and the last week of each venue: who came, left and was renamed."""

from otcpipe import resources
from otcpipe.answers import arguments
from otcpipe.cli.console import limited, number, print_table, say, say_all
from otcpipe.cli.form import Form
from otcpipe.cli.output import write
from otcpipe.cli.tables import Column, key
from otcpipe.records import ATTRIBUTION
from otcpipe.storage.postgres import Row

COLUMNS = {
    "mpid": key("MPID"),
    "firm_crd": Column("CRD", 2),
    "venue_name": Column("Venue", is_prose=True),
    "event": key("Event"),
    "first_week": key("First week"),
    "last_week": key("Last week"),
    "weeks": Column("Weeks", 2),
    "former_names": Column("Former names", 2, is_prose=True),
    "renamed_week": Column("Renamed", 3),
}


def timeline(scope: str, limit: int | None, form: Form) -> None:
    """Print all venues of a scope, the one with the newest event first."""
    with resources.database().transaction() as transaction:
        found = transaction.rows("venue_timeline", scope=arguments.scope(scope))
    rows, left_out = limited(found, limit)
    if write(form, rows, [name for name in COLUMNS if name != "event"]):
        return
    if not rows:
        say(f"No venues of scope {scope} are stored.")
        return
    say("Weeks in which the venues were seen. Before the first loaded week and after the newest nothing is known.")
    print_table(COLUMNS, [_shown(row) for row in rows])
    say_all([left_out, ATTRIBUTION])


def _shown(row: Row) -> Row:
    events = {"entry": row["is_entry"], "renamed": row["renamed_week"], "exit": row["is_exit"]}
    names = "; ".join(row["former_names"] or ())
    return row | {
        "event": ", ".join(name for name, is_it in events.items() if is_it),
        "former_names": names,
        "firm_crd": number(row),
    }
