"""Show the data dictionary: the tables, and the columns of one."""

from otcpipe.cli.console import print_table, say
from otcpipe.cli.form import Form
from otcpipe.cli.output import write
from otcpipe.cli.tables import Column, key
from otcpipe.metrics import catalog
from otcpipe.text.choices import choose

TABLES = {
    "table": key("Table"),
    "used_with": Column("Used with"),
    "description": key("What it is", is_prose=True),
}
COLUMNS = {
    "column": key("Column"),
    "unit": Column("Unit"),
    "description": key("What it is", is_prose=True),
}
EVERYWHERE, ONLY_SQL = "read, export, sql", "sql"


def tables(name: str | None, form: Form) -> None:
    """Print all tables of schema otc, or the columns of one. Raises Invalid for a table that does not exist."""
    if name is None:
        _list(form)
    else:
        _describe(name, form)


def _list(form: Form) -> None:
    rows = [
        {
            "table": table.name,
            "used_with": EVERYWHERE if catalog.split(table.name)[0] in catalog.tables() else ONLY_SQL,
            "description": table.description,
        }
        for table in catalog.described().values()
    ]
    if not write(form, rows, TABLES):
        print_table(TABLES, rows)
        say("`otcpipe tables TABLE` lists the columns of one.")


def _describe(name: str, form: Form) -> None:
    known = catalog.described()
    table = known[choose(name.removeprefix("otc."), list(known), "table")]
    rows = [{"column": one.name, "unit": one.unit, "description": one.description} for one in table.columns]
    if not write(form, rows, COLUMNS):
        say(f"otc.{table.name}: {table.description}")
        print_table(COLUMNS, rows)
