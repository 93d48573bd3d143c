"""PostgreSQL's query plans."""

from typing import Any


def nodes(plan: dict[str, Any]) -> list[dict[str, Any]]:
    return [plan, *(node for part in plan.get("Plans", []) for node in nodes(part))]


def is_of_records(node: dict[str, Any]) -> bool:
    return str(node.get("Relation Name", "")).startswith("volume_record_")
