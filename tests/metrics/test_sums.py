"""What the metrics' sums are made with."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from otcpipe.datasets import TIERS
from otcpipe.metrics import aggregates

Sql = Callable[..., list[tuple[Any, ...]]]
LISTS = st.lists(st.decimals(0, 9, places=6), max_size=3).map(lambda numbers: sorted(numbers, reverse=True) or None)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(LISTS, LISTS)
def test_the_first_three_of_two_lists_are_the_three_largest(
    sql: Sql, one: list[Decimal] | None, other: list[Decimal] | None
) -> None:
    [(found,)] = sql("select otc_internal.first_three(%s::numeric[], %s::numeric[])", one, other)
    expected = sorted([*(one or []), *(other or [])], reverse=True)[:3]
    assert sum(found or []) == sum(expected)
    assert not expected or found[0] == expected[0]


def test_each_tier_is_summed_up() -> None:
    assert [*aggregates.PARTS].count(None) == 1
    assert {*aggregates.PARTS} == {*TIERS, None}
