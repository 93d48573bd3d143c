"""Sentences on rows that differ between the tables and what was recomputed; at most a few of each kind."""

from collections.abc import Container, Mapping, Sequence

import pyarrow as pa

from otcpipe.storage.postgres import Row

MAX_SENTENCES = 5  # of one kind


def of_captures(rows: Sequence[Row]) -> list[str]:
    """Describe captures that the table lost, whose records are in the object store."""
    return [f"Capture {row['capture_id']}, whose records {row['key']} holds, is not in the table." for row in rows]


def of_rejects(expected: Mapping[str, pa.Table], unknown: Container[str], stored: Sequence[Row]) -> list[str]:
    """Compare the stored rejects with those of the raw bytes, by raw key; `unknown` keys could not be read."""
    in_table = {(row["raw_key"], row["line"]): (row["reason"], row["text"]) for row in stored}
    in_bytes = {
        (key, row["line"]): (row["reason"], row["text"])
        for key, table in expected.items()
        for row in table.to_pylist()
    }
    return _first(
        [
            f"Line {place[1]} of {place[0]} {_reject(place in in_table, place in in_bytes)}."
            for place in sorted(in_bytes | in_table)
            if in_bytes.get(place) != in_table.get(place) and place[0] not in unknown
        ]
    )


def of_records(rows: Sequence[Row]) -> list[str]:
    """Describe records that differ from those of the raw bytes."""
    sentences = [
        f"The record of {row['symbol'] or 'no symbol'} at {row['venue']} that capture {row['capture_id']} "
        f"opened {_difference(row, 'the raw bytes')}."
        for row in rows
    ]
    return _first(sentences, rows)


def of_metric(metric: str, rows: Sequence[Row]) -> list[str]:
    """Describe a metric's rows that differ from those that its records give."""
    return _first([f"{metric} {row['place']} {_difference(row, 'its records')}." for row in rows], rows)


def _reject(is_stored: bool, is_computed: bool) -> str:
    if is_stored and is_computed:
        return "is a reject with another reason or text in the table"
    return "is a reject in the table but not by its raw bytes" if is_stored else "is a reject but not in the table"


def _difference(row: Row, source: str) -> str:
    if not row["is_stored"]:
        return f"follows from {source} but is not in the table"
    if not row["is_computed"]:
        return f"is in the table but does not follow from {source}"
    pairs = {name: [value or "nothing" for value in pair] for name, pair in row["differences"].items()}
    return f"has {'; '.join(f'{name} {was}, by {source} {right}' for name, (was, right) in pairs.items())}"


def _first(sentences: list[str], some: Sequence[Row] = ()) -> list[str]:
    """Return the first sentences, and one on how many more there are; `some` rows say of how many they are."""
    more = max([len(sentences), *(row["differing"] for row in some)]) - MAX_SENTENCES
    return [*sentences[:MAX_SENTENCES], f"And {more:,} more like these."] if more > 0 else sentences
