"""The SQL files: named statements, each with its description, in `schema/`."""

import re
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

HERE = Path(__file__).parents[1]
SCHEMA = HERE / "schema" if (HERE / "schema").is_dir() else HERE.parent / "schema"  # a wheel, or a checkout
_READS = re.compile(r"^-- reads: (.+)$", re.MULTILINE)
_NAME = re.compile(r"^-- name: (\w+)\n", re.MULTILINE)
_SCHEMA_NAME = re.compile(r"\botc(?=\b|_internal\b)")
LIVE = "otc"  # the schema that the files name


@cache
def named(file: str) -> dict[str, str]:
    """Return the statements of one file below `schema/`, such as `queries/ledger.sql`, by name."""
    parts = _NAME.split((SCHEMA / file).read_text())[1:]
    return dict(zip(parts[::2], (text.strip() for text in parts[1::2]), strict=True))


@cache
def statements(schema: str = LIVE) -> dict[str, str]:
    """Return all statements of `schema/queries` by name, for a schema; no two files use the same name."""
    found: dict[str, str] = {}
    for path in sorted((SCHEMA / "queries").glob("*.sql")):
        found |= named(f"queries/{path.name}")
    return {name: in_schema(text, schema) for name, text in found.items()}


def in_schema(text: str, schema: str) -> str:
    """Return a file's text or a statement with another schema in place of `otc`, and with locks of its own."""
    if schema == LIVE:
        return text
    return _SCHEMA_NAME.sub(schema, text).replace("%(space)s", f"(%(space)s # hashtext('{schema}'))")


def migrations() -> list[tuple[str, str]]:
    """Return name and text of each migration, in order."""
    return _scripts("migrations")


@cache
def release() -> str:
    """Return the name of the newest migration of this release, by which workers of several releases differ."""
    return max(path.stem for path in (SCHEMA / "migrations").glob("*.sql"))


def upgrades() -> list[tuple[str, str]]:
    """Return name and text of each step from the tables of release 0.1.0 to the first migration, in order."""
    return _scripts("upgrades")


def functions() -> tuple[str, list[str]]:
    """Return the functions that migrations build on, and the texts of the others, in order of creation."""
    first, *others = (text for _, text in _scripts("functions"))
    return first, others


def _scripts(directory: str) -> list[tuple[str, str]]:
    return [(path.stem, path.read_text()) for path in sorted((SCHEMA / directory).glob("*.sql"))]


def metric_files() -> dict[str, str]:
    """Return the text of each metric's file by the metric's name, each after those that it reads."""
    texts = {path.stem: path.read_text() for path in (SCHEMA / "metrics").glob("*.sql")}
    order = TopologicalSorter({name: metric_reads(texts[name]) - {name} for name in sorted(texts)})
    return {name: texts[name] for name in order.static_order()}


def derived_files() -> dict[str, str]:
    """Return the text of each table that a function computes on demand, by its name."""
    return dict(_scripts("derived"))


def metric_reads(text: str) -> frozenset[str]:
    """Return the names of the metrics that a metric's file says it reads."""
    found = _READS.search(text)
    return frozenset(found[1].split(", ") if found else ())
