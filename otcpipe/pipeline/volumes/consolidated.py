"""Files of consolidated volume: unadjusted shares by symbol and day, as CSV or Parquet."""

from io import BytesIO

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from otcpipe.errors import Invalid
from otcpipe.pipeline.volumes import columns

PARQUET = b"PAR1"
NAMES = ("symbol", "date", "volume")
KEYS = ("day", "symbol", "source")
VOLUME, DECIMALS = pa.decimal128(26, 6), 6
SPELLINGS = (  # as vendors write, and as FINRA does; the first that fits
    (r"^([A-Z]+)(?:p|[ ./-]PR[./-]?|-P)([A-Z])$", r"\1$\2"),  # preferred: KKRpD, KKR-PD, KKR.PR.D
    (r"^([A-Z]+)(?:p|[ ./-]PR)$", r"\1$"),  # the only preferred: TYp
    (r"^([A-Z]+)[ ./-]WS$", r"\1.W"),  # warrants
    (r"^([A-Z]+)[ /-]([A-Z])$", r"\1.\2"),  # classes: BRK/B, BRK-B
)


def read(content: bytes, source: str) -> pa.Table:
    """Return a row for each symbol and day, in FINRA's spelling; raises Invalid if the bytes are not such a file.

    Decimals are allowed, and a float is read to six decimals.
    """
    texts = _parquet(content) if content.startswith(PARQUET) else columns.read_csv(content, NAMES)
    table = pa.table(
        {
            "day": columns.days(texts["date"], "date"),
            "symbol": spelled(columns.require_texts(texts["symbol"], "symbol")),
            "source": pa.repeat(pa.scalar(source), len(texts)),
            "volume": columns.numbers(texts["volume"], "volume", VOLUME, 20),
        }
    )
    columns.require_unique(table, KEYS)
    return table


def spelled(symbols: pa.Array) -> pa.Array:
    """Return symbols as FINRA writes them: BRK.B for BRK/B and BRK-B, KKR$D for KKRpD, KKR-PD and KKR.PR.D."""
    encoded = symbols.dictionary_encode()
    names = encoded.dictionary
    for pattern, replacement in SPELLINGS:
        names = pc.replace_substring_regex(names, pattern, replacement)
    return pc.take(names, encoded.indices)


def _parquet(content: bytes) -> pa.Table:
    try:
        file = pq.ParquetFile(BytesIO(content))
        columns.require_rows(file.metadata.num_rows)
        table = columns.choose(file.read(columns=columns.spelled_as(file.schema_arrow.names, NAMES)), NAMES)
        volume = table["volume"]
        if pa.types.is_floating(volume.type):
            volume = pc.round(volume, DECIMALS)
        day = table["date"]
        if pa.types.is_timestamp(day.type):
            day = day.cast(pa.date32())
        values = dict(zip(NAMES, (table["symbol"], day, volume), strict=True))
        return pa.table({name: column.cast(pa.string()) for name, column in values.items()})
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, OSError) as error:
        raise Invalid(f"It is not a Parquet file with {', '.join(NAMES)}: {str(error).splitlines()[0]}") from None
