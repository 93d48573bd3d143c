"""Rows side by side: a line for each name, a column for each row, in as many tables as the terminal needs."""

from collections.abc import Mapping, Sequence

from rich.cells import cell_len

from otcpipe.cli.console import is_number, print_table, say, shown, terminal_width
from otcpipe.cli.tables import GAP, Column, key
from otcpipe.storage.postgres import Row

NAME = "name"


def print_transposed(names: Sequence[str], headings: Sequence[str], rows: Sequence[Row]) -> None:
    """Print these names of the rows, each row below its heading; what does not fit follows in a table of its own."""
    cells = [{name: shown(row[name]) for name in names} for row in rows]
    widths = [max(map(cell_len, (head, *row.values()))) for head, row in zip(headings, cells, strict=True)]
    columns = {
        f"row{at}": Column(headings[at], 0, is_prose=True, is_number=any(map(is_number, row.values())))
        for at, row in enumerate(rows)
    }
    for table in divided(max(map(cell_len, names), default=0), widths, terminal_width()):
        if table.start:
            say("")
        some = {f"row{at}": columns[f"row{at}"] for at in table}
        print_table({NAME: key("")} | some, [_line(name, table, cells) for name in names])


def divided(first: int, widths: Sequence[int], width: int | None) -> list[range]:
    """Divide columns of these widths into tables that fit, each beside a first column; none holds less than one."""
    tables, begin, used = [], 0, first
    for at, size in enumerate(widths):
        if width is not None and used + GAP + size > width and at > begin:
            tables.append(range(begin, at))
            begin, used = at, first
        used += GAP + size
    return [*tables, range(begin, len(widths))]


def _line(name: str, table: range, cells: Sequence[Mapping[str, str]]) -> Row:
    return {NAME: name} | {f"row{at}": cells[at][name] for at in table}
