"""Who gained share, and where: a week or a quarter compared with the one before."""

from dataclasses import asdict
from datetime import date

from otcpipe.answers.venue_profile import find, identity, own_scope
from otcpipe.errors import Invalid
from otcpipe.metrics import gains, symbols
from otcpipe.metrics.gains import Market, Venue
from otcpipe.storage.postgres import Database, Row, Transaction


def gained(
    database: Database,
    text: str | None,
    week: date | None,
    tier: str | None,
    scope: str | None,
    limit: int,
    *,
    is_quarter: bool,
    symbol: str | None = None,
) -> Row:
    """Compare a week, by default the newest, with the one before, or its calendar quarter with the quarter before.

    `rows` has the symbols in which a venue gained and lost most, `limit` of each; without a venue all venues, by
    their shares of all volume or of a symbol. `later` and `earlier` are the weeks that are compared, `venue` is what
    identifies it. Raises Invalid for a venue and a symbol at once, and if none is stored.
    """
    if text and symbol:
        raise Invalid("Name a venue or a symbol, not both.")
    with database.transaction() as transaction:
        unknown = symbols.unknown(transaction, [symbol]) if symbol else {}
        if symbol and unknown:
            raise Invalid(symbols.sentence(symbol, unknown[symbol]))
        names = find(transaction, text) if text else []
        one = Venue(names[0]["mpid"], names[0]["firm_crd"]) if names else None
        scope = scope or (own_scope(one) if one else "ATS")
        asked: Row = {"week_ending": week, "tier": tier, "scope": scope}
        last = asked | (transaction.row("venue_week", **asked) or {})
        compared = gains.Comparison(Market(last["tier"] or "ALL_TIERS", scope), [], [])
        if last["week_ending"]:
            compare = gains.compare_quarters if is_quarter else gains.compare_weeks
            compared = compare(transaction, compared.market, last["week_ending"])
        rows: list[Row] = []
        if compared.is_possible:
            rows = _rows(transaction, compared, one, symbol, limit)
        named = {"venue": one and identity(one), "venue_name": names[0]["venue_name"] if names else None}
        return asdict(compared) | named | {"rows": rows}


def _rows(
    transaction: Transaction, compared: gains.Comparison, venue: Venue | None, symbol: str | None, limit: int
) -> list[Row]:
    if venue:
        return gains.by_symbol(transaction, compared, venue, limit)
    return gains.in_symbol(transaction, compared, symbol) if symbol else gains.by_venue(transaction, compared)
