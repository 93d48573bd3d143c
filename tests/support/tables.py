"""All tables that follow from captures and decisions, without ids by arrival and times."""

from collections.abc import Callable
from typing import Any

from otcpipe import resources
from otcpipe.metrics import completion, definitions, history

Sql = Callable[..., list[tuple[Any, ...]]]

RECORDS = """
    select r.week_ending, r.tier, r.symbol, r.venue_type, r.product_type, r.mpid, r.firm_crd, i.name, v.name,
        r.share_volume, r.trade_count, r.notional, r.published_on, r.updated_on, r.opened_by, r.closed_by
    from otc_internal.volume_record as r
    left join otc_internal.name as i on i.name_id = r.issue_name_id
    left join otc_internal.name as v on v.name_id = r.venue_name_id
"""
CAPTURES = "select to_jsonb(c) - 'persisted_at', persisted_at is not null from otc.capture as c"
QUALITY = "select to_jsonb(q) - 'judged_at' from otc.capture_quality as q"
PUBLIC = ("reject", "acceptance", "held_partition", "trading_week", "loaded_partition")
INTERNAL = ("decision", "metric_due")


def all_tables(sql: Sql) -> dict[str, list[str]]:
    """Return the rows of each table as sorted text."""
    completion.complete(resources.database())
    asked = {
        "records": RECORDS,
        "captures": CAPTURES,
        "quality": QUALITY,
        "names": "select name from otc_internal.name",
    }
    asked |= {name: f"select to_jsonb(t) from otc.{name} as t" for name in PUBLIC}
    asked |= {name: f"select to_jsonb(t) from otc_internal.{name} as t" for name in INTERNAL}
    asked |= {
        one.name: f"select to_jsonb(m) - 'computed_at' from otc.{one.name} as m" for one in definitions.metrics()
    }
    history.build(resources.database())
    asked |= {
        f"{one.name}_history": f"select to_jsonb(h) from otc.{one.name}_history as h" for one in definitions.metrics()
    }
    return {name: sorted(map(str, sql(text))) for name, text in asked.items()}


def differences(
    found: dict[str, list[str]], expected: dict[str, list[str]]
) -> dict[str, tuple[list[str], list[str]]]:
    """Return by table the rows that are only in `found`, and those only in `expected`."""
    pairs = {
        name: (sorted(set(found[name]) - set(rows)), sorted(set(rows) - set(found[name])))
        for name, rows in expected.items()
        if found[name] != rows
    }
    return {name: pair if any(pair) else (found[name], expected[name]) for name, pair in pairs.items()}
