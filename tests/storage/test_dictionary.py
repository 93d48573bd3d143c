"""The data dictionary describes all that analysts query, and nothing else; the database says the same."""

from collections.abc import Callable
from typing import Any

from otcpipe.storage import dictionary

Sql = Callable[..., list[tuple[Any, ...]]]
COLUMNS = """
    select c.relname::text, a.attname::text, col_description(c.oid, a.attnum)
    from pg_class as c
    inner join pg_attribute as a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
    where c.relnamespace = 'otc'::regnamespace and (c.relkind in ('r', 'v') or c.relname = 'symbol_venue_share')
"""
OBJECTS = """
    select relname::text, coalesce(obj_description(oid, 'pg_class'), obj_description(reltype, 'pg_type'))
    from pg_class
    where relnamespace = 'otc'::regnamespace and (relkind in ('r', 'v') or relname = 'symbol_venue_share')
    union all
    select proname::text, obj_description(oid, 'pg_proc') from pg_proc where pronamespace = 'otc'::regnamespace
"""


def test_the_database_describes_each_table_view_and_function_as_the_dictionary_does(
    environment: dict[str, str], sql: Sql
) -> None:
    described = {(one.name, one.text) for one in dictionary.descriptions() if one.column is None}
    assert set(sql(OBJECTS)) == described


def test_the_database_describes_each_column_as_the_dictionary_does(environment: dict[str, str], sql: Sql) -> None:
    described = {(one.name, one.column, one.comment) for one in dictionary.descriptions() if one.column is not None}
    found = set(sql(COLUMNS))
    assert [row for row in found if row[2] is None] == []
    assert found <= described
    assert {row[1] for row in described} == {row[1] for row in found}


def test_a_description_is_plain_text_without_the_documents_links() -> None:
    assert [one.text for one in dictionary.descriptions() if "](" in one.text] == []
    assert any(one.text.startswith("Splits of shares: given, or inferred") for one in dictionary.descriptions())
