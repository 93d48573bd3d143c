"""Print who gained share, and where."""

from datetime import date

from otcpipe import resources
from otcpipe.answers import arguments
from otcpipe.answers.gained import gained as find
from otcpipe.cli.captions import of_tier
from otcpipe.cli.console import limited, number, print_table, say, say_all, whole
from otcpipe.cli.form import Form
from otcpipe.cli.output import write
from otcpipe.cli.tables import Column, key
from otcpipe.cli.venues import tier_of
from otcpipe.errors import Invalid
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
    "gained_volume": Column("Shares gained a week"),
    "volume_before": Column("Volume a week, before", 3),
    "volume": Column("Volume a week", 2),
    "symbol_volume": Column("Volume of symbol a week", 2),
}
VENUES = {
    "mpid": key("MPID"),
    "firm_crd": Column("CRD", 2),
    "venue_name": Column("Venue", is_prose=True),
    **SHARES,
    "volume_before": Column("Volume a week, before", 3),
    "volume": Column("Volume a week", 2),
}


IN_SYMBOL = VENUES | {"gained_volume": Column("Shares gained a week")}


def gained(
    venue: str | None,
    symbol: str | None,
    week: str | None,
    tier: str | None,
    scope: str | None,
    limit: int,
    form: Form,
    *,
    is_quarter: bool,
) -> None:
    """Print the symbols in which a venue gained and lost most, or all venues by their change of share.

    Raises Invalid if nothing before is loaded.
    """
    scope = arguments.scope(scope) if scope else None
    found = find(
        resources.database(),
        venue,
        arguments.week(week),
        tier_of(tier),
        scope,
        limit,
        is_quarter=is_quarter,
        symbol=symbol,
    )
    market = f"scope {found['market']['scope']}, {of_tier(found['market']['tier'])}"
    if found["later"] and not found["earlier"]:
        before = "quarter" if is_quarter else "week"
        raise Invalid(
            f"Nothing can be compared with {_weeks(found['later'])} in {market}: the {before} before is not loaded."
        )
    rows, left_out = (found["rows"], None) if venue else limited(found["rows"], limit)
    spans = {"weeks_before": len(found["earlier"]), "weeks": len(found["later"])}
    of_venues = IN_SYMBOL if symbol else VENUES
    if write(form, [row | spans for row in rows], GAINS if venue else of_venues):
        return
    if not found["later"]:
        say(f"There is nothing to compare in {market}: no week is loaded.")
        return
    of_symbol = f"{symbol}, {market}" if symbol else f"S{market[1:]}"
    named = f"{found['venue']}, {found['venue_name']}, {market}" if venue else of_symbol
    say(f"{named}: {_weeks(found['later'])}, compared with {_weeks(found['earlier'])}.")
    if not venue:
        print_table(of_venues, [as_gains(row, **spans) | {"firm_crd": number(row)} for row in rows])
    for direction in ("gained", "lost") if venue else ():
        of_direction = [row for row in rows if row["direction"] == direction]
        say("", f"Where it {direction} most:" if of_direction else f"It {direction} in no symbol.")
        if of_direction:
            print_table(GAINS, [as_gains(row, **spans) for row in of_direction])
    say_all([left_out, ATTRIBUTION])


def as_gains(row: Row, weeks_before: int = 1, weeks: int = 1) -> Row:
    """Return the row with whole shares a week, for the terminal: one quarter may have fewer weeks."""
    spans = {"gained_volume": weeks, "volume_before": weeks_before, "volume": weeks, "symbol_volume": weeks}
    return row | {name: whole(row[name] / count) for name, count in spans.items() if name in row}


def _weeks(weeks: list[date]) -> str:
    if not weeks:
        return "no week is loaded"
    if len(weeks) == 1:
        return f"the week ending {weeks[0]}"
    return f"{counted(len(weeks), 'week')} ending {weeks[0]} to {weeks[-1]}"
