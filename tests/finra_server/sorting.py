"""The order in which rows are served: sorted with nulls first, or arbitrary."""

from collections.abc import Callable, Sequence
from itertools import groupby, pairwise
from math import gcd
from random import Random

from .rows import NUMBERS, PLACE

VARIANTS = 3

Passes = list[tuple[Callable[[str], str], bool]]


def orders(lines: Sequence[str], sort: tuple[str, ...]) -> list[list[str]]:
    """The lines sorted; where the fields leave ties, several equally valid orders.

    Text sorts by code point and numbers as numbers. A request gets any one of the orders: a client whose
    sort is not total cannot page.
    """
    runs = [(list(names), down) for down, names in groupby(sort, lambda name: name.startswith("-"))]
    passes = [(_key(names), down) for names, down in runs]
    first = _sorted(lines, passes)
    keys = [[key(line) for line in first] for key, _ in passes]
    is_total = all(one != two for one, two in pairwise(zip(*keys, strict=True)))
    mixed = [] if is_total else [_shuffled(lines, seed) for seed in range(1, VARIANTS)]
    return [first, *(_sorted(each, passes) for each in mixed)]


def scattered(lines: Sequence[str], offset: int, count: int, seed: int) -> list[str]:
    """A page of an arbitrary order; each seed is another order."""
    size = len(lines)
    step = seed * 7919 % size if size else 1
    while gcd(step, size or 1) != 1:
        step += 1
    return [lines[(seed + place * step) % size] for place in range(offset, min(offset + count, size))]


def _sorted(lines: Sequence[str], passes: Passes) -> list[str]:
    found = list(lines)
    for key, down in reversed(passes):
        found.sort(key=key, reverse=down)
    return found


def _shuffled(lines: Sequence[str], seed: int) -> list[str]:
    mixed = list(lines)
    Random(seed).shuffle(mixed)
    return mixed


def _key(names: Sequence[str]) -> Callable[[str], str]:
    """Several fields as one text, which sorts as their tuple would: no value has a NUL."""
    columns = [(PLACE[name.lstrip("-")], name.lstrip("-") in NUMBERS) for name in names]

    def key(line: str) -> str:
        values = line.split("|")
        return "\0".join([_padded(values[place]) if number else values[place] for place, number in columns])

    return key


def _padded(number: str) -> str:
    """A number as text that sorts as the number does."""
    whole, _, part = number.partition(".")
    return f"{whole:0>20}.{part}" if number else ""
