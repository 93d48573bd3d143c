"""Arrow tables to pandas frames."""

from collections.abc import Collection

import pandas as pd
import pyarrow as pa

NULLABLE: dict[pa.DataType, pd.api.extensions.ExtensionDtype] = {
    pa.int64(): pd.Int64Dtype(),
    pa.int32(): pd.Int32Dtype(),
}


def to_frame(rows: pa.Table, never_null: Collection[str]) -> pd.DataFrame:
    """Return the rows, with timestamps in place of dates.

    Integers of the columns `never_null` are NumPy's int64, the others nullable.
    """
    schema = pa.schema(
        [field.with_type(pa.timestamp("us")) if pa.types.is_date(field.type) else field for field in rows.schema]
    )
    frame = rows.cast(schema).to_pandas(types_mapper=_pandas)
    counts = [field.name for field in schema if pa.types.is_integer(field.type) and field.name in never_null]
    return frame.astype(dict.fromkeys(counts, "int64"))


def _pandas(kind: pa.DataType) -> pd.api.extensions.ExtensionDtype | None:
    return pd.ArrowDtype(kind) if pa.types.is_decimal(kind) else NULLABLE.get(kind)
