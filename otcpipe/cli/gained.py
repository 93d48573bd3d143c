"""Print who gained share, and where."""

from datetime import date

from otcpipe import resources
from otcpipe.answers import arguments
from otcpipe.answers.gained import gained as find
from otcpipe.cli.console import limited, number, print_table, say, say_all, whole
from otcpipe.cli.form import Form
from otcpipe.cli.output import write
from otcpipe.cli.tables import Column, key
from otcpipe.cli.venues import tier_of
from otcpipe.records import ATTRIBUTION
from otcpipe.storage.postgres import Row
from otcpipe.text.counting import counted

SHARES = {
    "share_before_pct": Column("Before %", 1),
    "share_pct": key("Share %"),
    "share_change_bps": key("Basis points"),
}
GAINS = {
    "symbol": key("Symbol"),
    **SHARES,
    "gained_volume": Column("Shares gained"),
    "volume_before": Column("Volume before", 3),
    "volume": Column("Volume", 2),
    "symbol_volume": Column("Volume of symbol", 2),
}
VENUES = {
    "mpid": key("MPID"),
    "firm_crd": Column("CRD", 2),
    "venue_name": Column("Venue", is_prose=True),
    **SHARES,
    "volume_before": Column("Volume before", 3),
    "volume": Column("Volume", 2),
}


def gained(
    venue: str | None,
    week: str | None,
    tier: str | None,
    scope: str | None,
    limit: int,
    form: Form,
    *,
    is_quarter: bool,
) -> None:
    """Print the symbols in which a venue gained and lost most, or without one all venues by their change of share."""
    scope = arguments.scope(scope) if scope else None
    found = find(
        resources.database(), venue, arguments.week(week), tier_of(tier), scope, limit, is_quarter=is_quarter
    )
    rows, left_out = (found["rows"], None) if venue else limited(found["rows"], limit)
    if write(form, rows, GAINS if venue else VENUES):
        return
    market = f"scope {found['market']['scope']}, {found['market']['tier']}"
    if not found["later"] or not found["earlier"]:
        later, earlier = _weeks(found["later"]), _weeks(found["earlier"])
        say(f"There is nothing to compare in {market}: {later}, and before {earlier}.")
        return
    named = f"{venue}, {found['venue_name']}, " if venue else ""
    say(f"{named}{market}: {_weeks(found['later'])}, compared with {_weeks(found['earlier'])}.")
    if not venue:
        print_table(VENUES, [as_gains(row) | {"firm_crd": number(row)} for row in rows])
    for direction in ("gained", "lost") if venue else ():
        of_direction = [row for row in rows if row["direction"] == direction]
        say("", f"Where it {direction} most:" if of_direction else f"It {direction} in no symbol.")
        if of_direction:
            print_table(GAINS, [as_gains(row) for row in of_direction])
    say_all([left_out, ATTRIBUTION])


def as_gains(row: Row) -> Row:
    """Return the row with whole shares, for the terminal."""
    wholes = ("gained_volume", "volume_before", "volume", "symbol_volume")
    return row | {name: whole(row[name]) for name in wholes if name in row}


def _weeks(weeks: list[date]) -> str:
    if not weeks:
        return "no week is loaded"
    return f"{counted(len(weeks), 'week')} ending {' to '.join(map(str, dict.fromkeys([weeks[0], weeks[-1]])))}"
