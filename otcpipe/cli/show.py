"""Show a symbol: its weeks, venues, concentration and revisions."""

import sys

from otcpipe import resources
from otcpipe.answers import arguments, signals
from otcpipe.answers.moments import new_york
from otcpipe.answers.symbol import symbol as find
from otcpipe.cli.form import Form
from otcpipe.cli.output import print_csv, print_json
from otcpipe.cli.symbol_tables import print_symbol


def show(
    symbol: str, week: str | None, count: int, scope: str | None, as_of: str | None, form: Form, *, limit: int
) -> None:
    """Print `count` weeks up to `week`, by default the newest that has the symbol; with `as_of`, as known then.

    The table has the first `limit` venues of the last week; JSON has all. Programs get the weeks of `scope` alone.
    """
    friday = arguments.week(week)
    moment = arguments.moment(as_of)
    scope = arguments.scope(scope) if scope else None
    found = find(resources.database(), symbol, friday, count, scope, moment)
    if scope and form is not Form.TABLE:  # so that who adds the rows up counts nothing twice
        found["history"] = [row for row in found["history"] if row["scope"] == scope]
    if moment and form is Form.CSV:  # which JSON says itself
        print(f"As known on {new_york(moment)}.", file=sys.stderr)  # noqa: T201 - beside the rows
    if form is Form.CSV:
        print_csv(found["history"], ("week_ending", "scope"))
        return
    found |= signals.of_symbol(resources.database(), found, count)
    if form is Form.JSON:
        print_json([found])
    else:
        print_symbol(found, count, limit)
