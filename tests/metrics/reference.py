"""The analysts' numbers in plain Python, from the definitions of the design and not from the SQL. All exact."""

from collections.abc import Collection, Iterator, Sequence
from datetime import date
from decimal import Decimal
from fractions import Fraction

from tests.metrics import splits
from tests.metrics.records import (
    SCOPES,
    WEEK,
    Loaded,
    Record,
    Row,
    Venue,
    by_venue,
    groups,
    is_whole,
    markets,
    matches,
    of_scope,
    rounded,
    trades,
    trading_days,
    volume,
)


def symbol_summary(records: list[Record], loaded: Loaded) -> Iterator[Row]:
    for (week, tier, symbol), all_members in groups(records, "week_ending", "tier", "symbol"):
        for scope in SCOPES:
            members = of_scope(all_members, scope)
            if symbol is None or not members or not matches(loaded[week, tier], scope):
                continue
            ats = volume(of_scope(members, "ATS"))
            yield {
                "week_ending": week,
                "tier": tier,
                "symbol": symbol,
                "scope": scope,
                "total_volume": rounded(volume(members), 6),
                "total_trades": trades(members),
                "total_notional": _dollars(members),
                "venue_count": len(by_venue(members)),
                "avg_trade_size": rounded(volume(members) / trades(members), 6) if trades(members) else None,
                "ats_fraction": rounded(ats / volume(members), 6) if scope == "ALL" and volume(members) else None,
                "volume_per_day": rounded(volume(members) / trading_days(week), 6),
            }


def venue_share(records: list[Record], loaded: Loaded) -> Iterator[Row]:
    ranks = {
        (week, tier, scope): _ranks(by_venue(members)) for week, tier, scope, members in markets(records, loaded)
    }
    shares = {
        (week, tier, scope, venue): rounded(_percent(volume(own), volume(members)), 4)
        for week, tier, scope, members in markets(records, loaded)
        for venue, own in by_venue(members).items()
    }
    for week, tier, scope, members in markets(records, loaded):
        before = ranks.get((week - WEEK, tier, scope), {})
        for venue, own in by_venue(members).items():
            rank, share = ranks[week, tier, scope][venue], shares[week, tier, scope, venue]
            earlier = {back: shares.get((week - back * WEEK, tier, scope, venue)) for back in (1, 4, 13)}
            yield {
                "week_ending": week,
                "tier": tier,
                "scope": scope,
                "mpid": venue[0],
                "firm_crd": max((record.firm_crd for record in own if record.firm_crd is not None), default=None),
                "venue_name": max(
                    (record.venue_name for record in own if record.venue_name is not None), default=None
                ),
                "total_volume": rounded(volume(own), 6),
                "total_trades": trades(own),
                "symbol_count": len({record.symbol for record in own} - {None}),
                "market_share_pct": share,
                "rank": rank,
                "rank_change": before[venue] - rank if venue in before else None,
                "total_notional": _dollars(own),
                "avg_trade_size": rounded(volume(own) / trades(own), 6) if trades(own) else None,
            } | {
                f"share_change_{back}w_pts": None if other is None else share - other
                for back, other in earlier.items()
            }


def symbol_rolling_avg(
    records: list[Record],
    loaded: Loaded,
    set_aside: Collection[tuple[date, str]] = (),
    given: Sequence[splits.Given] = (),
) -> Iterator[Row]:
    """Of a symbol with a row that was set aside in a week, no records are not zero."""
    traded = {key: members for key, members in groups(records, "week_ending", "symbol") if key[1] is not None}
    symbols = {symbol for _, symbol in traded}
    found = splits.factors(records, loaded, given)
    for week in sorted({week for week, _ in loaded}):
        window = [week - back * WEEK for back in range(6)]
        for symbol in sorted(symbols):
            in_window = {day: traded[day, symbol] for day in window if (day, symbol) in traded}
            tiers = {record.tier for members in in_window.values() for record in members}
            for scope in SCOPES:
                known = {
                    day: of_scope(members, scope)
                    for day, members in in_window.items()
                    if all(matches(loaded[day, record.tier], scope) for record in members)
                }
                known = {day: members for day, members in known.items() if members}
                is_absence = all((week, tier) in loaded and matches(loaded[week, tier], scope) for tier in tiers)
                is_absence = is_absence and (week, symbol) not in set_aside
                if known and (week in known or is_absence):
                    own = found.get(symbol, ())
                    yield _rolling(week, symbol, scope, known, own) | _completeness(loaded, window, scope)


def _rolling(week: date, symbol: str, scope: str, known: dict[date, list[Record]], own: splits.Factors) -> Row:
    shares = [volume(members) * splits.factor(own, day, week) for day, members in known.items()]
    mean = sum(shares) / Fraction(len(known))
    current = volume(known.get(week, []))
    change = (current - mean) / mean * 100 if mean else None
    return {
        "week_ending": week,
        "symbol": symbol,
        "scope": scope,
        "avg_6w_volume": rounded(mean, 6),
        "avg_6w_trades": rounded(Fraction(sum(trades(members) for members in known.values()), len(known)), 6),
        "current_volume": rounded(current, 6),
        "volume_vs_avg_pct": None if change is None else rounded(change, 2),
        "trend": "stable" if not change or abs(change) <= 10 else "up" if change > 0 else "down",
        "weeks_in_window": len(known),
        "split_factor": splits.shown(own, week, 5),
    }


def _completeness(loaded: Loaded, window: list[date], scope: str) -> Row:
    whole = [day for day in window if is_whole(loaded, day, scope)]
    return {"weeks_loaded": len(whole), "is_complete": len(whole) == 6}


def symbol_concentration(records: list[Record], loaded: Loaded) -> Iterator[Row]:
    for (week, symbol), all_members in groups(records, "week_ending", "symbol"):
        for scope in SCOPES:
            members = of_scope(all_members, scope)
            is_known = all(matches(loaded[week, record.tier], scope) for record in all_members)
            if symbol is not None and is_known and volume(members):
                yield {"week_ending": week, "symbol": symbol, "scope": scope} | _concentration(members)


def _concentration(members: list[Record]) -> Row:
    total = volume(members)
    shares = sorted((volume(own) / total for own in by_venue(members).values()), reverse=True)
    unnamed = 1 - sum(shares, Fraction(0))
    hhi = 10_000 * sum((share * share for share in shares), Fraction(0))
    upper = hhi + 10_000 * unnamed * unnamed
    return {
        "venue_count": len(shares),
        "hhi": rounded(hhi, 2),
        "hhi_upper": rounded(upper, 2),
        "effective_venues": rounded(10_000 / hhi, 4) if hhi else None,
        "top_venue_share_pct": rounded(100 * Fraction(sum(shares[:1])), 2),
        "top3_share_pct": rounded(100 * Fraction(sum(shares[:3])), 2),
        "de_minimis_share_pct": rounded(100 * unnamed, 2),
        "concentration_level": _level(hhi, upper, 1500, 2500),
        "concentration_level_2023": _level(hhi, upper, 1000, 1800),
    }


def _level(hhi: Fraction, upper: Fraction, moderate: int, concentrated: int) -> str:
    levels = {
        "competitive" if index < moderate else "moderate" if index < concentrated else "concentrated"
        for index in (hhi, upper)
    }
    return levels.pop() if len(levels) == 1 else "indeterminate"


def _dollars(records: list[Record]) -> Decimal | None:
    """The sum of notionals; None if a record lacks it."""
    notionals = [record.notional for record in records if record.notional is not None]
    return sum(notionals, Decimal(0)) if len(notionals) == len(records) else None


def _ranks(venues: dict[Venue, list[Record]]) -> dict[Venue, int]:
    volumes = {venue: volume(own) for venue, own in venues.items()}
    return {venue: 1 + sum(other > own for other in volumes.values()) for venue, own in volumes.items()}


def _percent(part: Fraction, whole: Fraction) -> Fraction:
    return 100 * part / whole if whole else Fraction(0)
