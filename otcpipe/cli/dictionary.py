"""Show the data dictionary: the tables, and the columns of one."""

from difflib import get_close_matches

from otcpipe.cli.console import print_table, say
from otcpipe.cli.form import Form
from otcpipe.cli.output import write
from otcpipe.cli.tables import Column, key
from otcpipe.errors import Invalid
from otcpipe.metrics import catalog
from otcpipe.storage.postgres import Row
from otcpipe.text.choices import choose, is_name
from otcpipe.text.counting import counted

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
ON_DEMAND = "read, export, in sql its function ..._as_of"
WITH_COLUMN = {"table": key("Table"), "unit": Column("Unit"), "description": key("What it is", is_prose=True)}


def tables(name: str | None, form: Form) -> None:
    """Print all tables of schema otc, the columns of one, or the tables that have a column of the name.

    Raises Invalid for a name that neither a table nor a column has.
    """
    if name is None:
        _list(form)
    elif found := _with_column(name):
        _list_with_column(found, form)
    else:
        _describe(name, form)


def _list(form: Form) -> None:
    rows = [
        {
            "table": table.name,
            "used_with": _used_with(table.name),
            "description": table.description,
        }
        for table in catalog.described().values()
    ]
    if not write(form, rows, TABLES):
        print_table(TABLES, rows)
        say("`otcpipe tables TABLE` lists the columns of one.")


def _used_with(name: str) -> str:
    found = catalog.tables().get(catalog.split(name)[0])
    return ONLY_SQL if found is None else ON_DEMAND if found.is_derived else EVERYWHERE


def _with_column(name: str) -> list[Row]:
    """Return a row for each table that has a column of the name; none if it is a table's name.

    Raises Invalid for a name that is neither.
    """
    known = catalog.described()
    columns = [one.name for table in known.values() for one in table.columns]
    if is_name(name.removeprefix("otc."), known):
        return []
    if not is_name(name, columns):
        near = get_close_matches(name.casefold(), [*known, *columns], n=1)
        hint = f"did you mean {near[0]}?" if near else "`otcpipe tables` lists the tables."
        raise Invalid(f"{name!r} is neither a table nor a column: {hint}")
    return [
        {"table": table.name, "column": one.name, "unit": one.unit, "description": one.description}
        for table in known.values()
        for one in table.columns
        if is_name(name, [one.name])
    ]


def _list_with_column(rows: list[Row], form: Form) -> None:
    if not write(form, rows):
        say(f"{rows[0]['column']} is a column of {counted(len(rows), 'table')}:")
        print_table(WITH_COLUMN, rows)


def _describe(name: str, form: Form) -> None:
    known = catalog.described()
    table = known[choose(name.removeprefix("otc."), list(known), "table")]
    rows = [{"column": one.name, "unit": one.unit, "description": one.description} for one in table.columns]
    if not write(form, rows, COLUMNS):
        say(f"otc.{table.name}: {table.description}")
        print_table(COLUMNS, rows)
