"""The generated histories hold what the comparisons are for; a trap that is never set proves nothing."""

from functools import cache

from tests.metrics import reference
from tests.metrics.examples import WORLDS
from tests.metrics.generate import history
from tests.metrics.records import Row

HISTORIES = [history(seed) for seed in WORLDS if isinstance(seed, int)]


@cache
def rows(metric: str) -> list[Row]:
    return [row for made in HISTORIES for row in getattr(reference, metric)(made.records, made.loaded)]


def test_partitions_are_captured_by_files_and_by_the_api_and_some_are_missing() -> None:
    loaded = [made.loaded for made in HISTORIES]
    assert any(set(of_one.values()) == {"all", "ats"} for of_one in loaded)
    assert any(len({week for week, _ in of_one}) * 3 > len(of_one) for of_one in loaded)


def test_there_are_exact_halves_and_band_edges() -> None:
    found = {row["hhi"] for row in rows("symbol_concentration") if row["hhi"] == row["hhi_upper"]}
    assert {str(hhi) for hhi in found} >= {"5000.01", "1000.00", "1500.00", "1800.00", "2500.00"}


def test_levels_take_all_values() -> None:
    levels = {"competitive", "moderate", "concentrated", "indeterminate"}
    for name in ("concentration_level", "concentration_level_2023"):
        assert {row[name] for row in rows("symbol_concentration")} == levels


def test_trends_take_all_values_and_ten_percent_is_met_exactly() -> None:
    trends = {(row["trend"], str(row["volume_vs_avg_pct"])) for row in rows("symbol_rolling_avg")}
    assert {trend for trend, _ in trends} == {"up", "down", "stable"}
    assert {("stable", "10.00"), ("stable", "-10.00")} <= trends


def test_windows_are_whole_and_not_and_symbols_fall_to_zero() -> None:
    for scope in ("ATS", "NON_ATS", "ALL"):
        found = [row for row in rows("symbol_rolling_avg") if row["scope"] == scope]
        assert {row["is_complete"] for row in found} == {True, False}
        assert any(row["avg_6w_volume"] and not row["current_volume"] for row in found)


def test_ranks_tie_rise_and_fall_and_venues_come() -> None:
    found = rows("venue_share")
    assert {(row["rank_change"] or 0) > 0 for row in found} == {True, False}
    assert any((row["rank_change"] or 0) < 0 for row in found)
    assert any(row["rank_change"] is None for row in found)
    places = [(row["week_ending"], row["tier"], row["scope"], row["rank"]) for row in found]
    assert len(places) > len(set(places))


def test_shares_rise_and_fall_against_each_of_three_weeks_before() -> None:
    for back in (1, 4, 13):
        changes = [row[f"share_change_{back}w_pts"] for row in rows("venue_share")]
        assert {change > 0 for change in changes if change} == {True, False}
        assert None in changes


def test_there_are_numbers_that_do_not_exist() -> None:
    assert any(row["total_notional"] is None for row in rows("symbol_summary"))
    assert any(row["avg_trade_size"] is None for row in rows("symbol_summary"))
    assert any(row["ats_fraction"] is None for row in rows("symbol_summary") if row["scope"] == "ALL")
    assert any(row["effective_venues"] is None for row in rows("symbol_concentration"))
    assert any(row["volume_vs_avg_pct"] is None for row in rows("symbol_rolling_avg"))
