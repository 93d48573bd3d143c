"""The SQL files: named statements, each with its description, in `schema/`."""

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

HERE = Path(__file__).parents[1]
SCHEMA = HERE / "schema" if (HERE / "schema").is_dir() else HERE.parent / "schema"  # a wheel, or a checkout
_NAME = re.compile(r"^-- name: (\w+)\n", re.MULTILINE)


@cache
def named(file: str) -> dict[str, str]:
    """The statements of one file below `schema/`, such as `queries/ledger.sql`, by name."""
    parts = _NAME.split((SCHEMA / file).read_text())[1:]
    return dict(zip(parts[::2], (text.strip() for text in parts[1::2]), strict=True))


@cache
def statements() -> dict[str, str]:
    """All statements of `schema/queries`; a name stands once."""
    found: dict[str, str] = {}
    for path in sorted((SCHEMA / "queries").glob("*.sql")):
        found |= named(f"queries/{path.name}")
    return found


def migrations() -> Iterator[tuple[str, str]]:
    """Name and text of each migration, in order."""
    for path in sorted((SCHEMA / "migrations").glob("*.sql")):
        yield path.stem, path.read_text()


def functions() -> list[str]:
    """Texts of the functions that each migration states anew."""
    return [path.read_text() for path in sorted((SCHEMA / "functions").glob("*.sql"))]


def metric_files() -> dict[str, str]:
    """Text of each metric's file by the metric's name."""
    return {path.stem: path.read_text() for path in sorted((SCHEMA / "metrics").glob("*.sql"))}
