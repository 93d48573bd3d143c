"""Files of all trading are read exactly, and refused whole, with a line, for one bad value."""

import io
from datetime import date, datetime
from decimal import Decimal
from fractions import Fraction

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from otcpipe.errors import Invalid
from otcpipe.pipeline.volumes import columns, consolidated, market, splits
from tests.metrics.splits import Given
from tests.packaging.documents import example
from tests.pipeline.volumes.samples import HEADER, Traded, market_file, traded, volume_file

MONDAY = date(2025, 11, 10)
ROWS = [
    Traded(MONDAY, "NYSE (N)", (Decimal(1), Decimal(2), Decimal("3.5"))),
    Traded(MONDAY, "FINRA / Nasdaq TRF Carteret (DQ)", (Decimal(10), Decimal(0), Decimal(4))),
]


def test_a_row_of_the_market_is_three_by_tape() -> None:
    table, warning = market.read(market_file(ROWS).encode())
    found = {(row["participant_code"], row["tape"]): row["shares"] for row in table.to_pylist()}
    assert found == {
        ("N", "A"): 1,
        ("N", "B"): 2,
        ("N", "C"): Decimal("3.5"),
        ("DQ", "A"): 10,
        ("DQ", "B"): 0,
        ("DQ", "C"): 4,
    }
    assert warning is None
    assert {row["day"] for row in table.to_pylist()} == {MONDAY}


def test_the_samples_of_the_documents_are_read() -> None:
    table, warning = market.read(example("schema/README.md", "text", "Market Participant").encode())
    assert ({*table["participant_code"].to_pylist()}, warning) == ({"DQ", "N"}, None)
    rows = consolidated.read(example("schema/README.md", "text", "symbol,date,volume").encode(), "a vendor")
    assert rows["symbol"].to_pylist() == ["AAPL", "BRK.B"]


def test_a_total_that_is_not_the_sum_of_its_tapes_is_a_warning() -> None:
    text = market_file(ROWS).replace("10,0,4,14,", "10,0,4,15,")
    assert market.read(text.encode())[1] == "In 1 rows Total Shares is not the sum of the tapes, which are used."


def test_american_dates_and_columns_in_another_order_are_read() -> None:
    assert market.read(market_file(ROWS).replace("2025-11-10", "11/10/2025").encode())[0]["day"][0].as_py() == MONDAY
    lines = [line.split(",") for line in market_file(ROWS).splitlines()]
    turned = "\n".join(",".join(reversed(cells)) for cells in lines)
    assert market.read(turned.encode())[0].equals(market.read(market_file(ROWS).encode())[0])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "It is not a CSV file"),
        ("<html>\n<body>\n", "It has no column 'Day'"),
        (HEADER + "\n", "It has no rows"),
        (market_file(ROWS).replace("NYSE (N)", "NYSE"), "Line 2: the participant 'NYSE' has no code"),
        (market_file(ROWS).replace("2025-11-10", "2025-02-30"), "Line 2: Day '2025-02-30' is not a date"),
        (market_file(ROWS).replace("3.5", "many", 1), "Line 2: Tape C Shares 'many' is not a number"),
        (market_file(ROWS).replace("3.5", "-3", 1), "Line 2: Tape C Shares '-3' is negative"),
        (market_file([*ROWS, ROWS[0]]), "It has two rows of 2025-11-10, N, A"),
    ],
)
def test_what_is_not_a_file_of_the_market_is_one_sentence(text: str, words: str) -> None:
    with pytest.raises(Invalid, match=words.replace("(", r"\(")):
        market.read(text.encode())


@pytest.mark.parametrize(
    ("vendor", "finra"),
    [
        *[("BRK.B", "BRK.B"), ("BRK/B", "BRK.B"), ("BRK-B", "BRK.B"), ("BRKB", "BRKB"), ("AAPL", "AAPL")],
        *[("KKR$D", "KKR$D"), ("KKRpD", "KKR$D"), ("KKR-PD", "KKR$D"), ("KKR.PR.D", "KKR$D"), ("TYp", "TY$")],
        *[("ABC.WS", "ABC.W"), ("ABC-U", "ABC.U"), ("NA", "NA"), ("abc", "abc")],
    ],
)
def test_symbols_are_spelled_as_finra_does(vendor: str, finra: str) -> None:
    assert consolidated.spelled(pa.array([vendor])).to_pylist() == [finra]


VOLUMES = st.decimals(min_value=0, max_value=10**12, places=6, allow_nan=False, allow_infinity=False)


@given(st.dictionaries(st.sampled_from(["NA", "AAPL", "BRK.B", "ON"]), VOLUMES, min_size=1))
def test_csv_and_parquet_hold_the_same(volumes: dict[str, Decimal]) -> None:
    rows = [(symbol, MONDAY, volume) for symbol, volume in volumes.items()]
    expected = [
        {"day": MONDAY, "symbol": symbol, "source": "S", "volume": volume} for symbol, volume in volumes.items()
    ]
    assert consolidated.read(volume_file(rows).encode(), "S").to_pylist() == expected
    sink = io.BytesIO()
    columns = {"Symbol": list(volumes), "date": [MONDAY] * len(rows), "volume": list(volumes.values())}
    pq.write_table(pa.table(columns), sink)
    assert consolidated.read(sink.getvalue(), "S").to_pylist() == expected


def test_floats_and_timestamps_of_parquet_are_read() -> None:
    sink = io.BytesIO()
    days = pa.array([MONDAY], pa.date32()).cast(pa.timestamp("ns"))
    pq.write_table(pa.table({"symbol": ["AAPL"], "date": days, "volume": [24306145.1234567]}), sink)
    [row] = consolidated.read(sink.getvalue(), "S").to_pylist()
    assert (row["day"], row["volume"]) == (MONDAY, Decimal("24306145.123457"))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"symbol,date\nA,2025-11-10\n", "It has no column 'volume'"),
        (b"symbol,date,volume\n,2025-11-10,1\n", "Line 2: symbol '' is empty"),
        (b"symbol,date,volume\nA,2025-11-10,1\nA,2025-11-10,2\n", "It has two rows of 2025-11-10, A"),
        (b"symbol,date,volume\nA,2025-11-10,NaN\n", "Line 2: volume 'NaN' is not a number"),
        (b"PAR1 and nothing else", "It is not a Parquet file"),
        (b"\xff\xfe\x00", "It is not a text file in UTF-8"),
        (b"symbol,date,volume\nA\0B,2025-12-15,5\n", "Line 2: symbol 'A\ufffdB' has a character that cannot be seen"),
        ("symbol,date,volume\nA\u200bB,2025-12-15,5\n".encode(), "has a character that cannot be seen"),
        (b"symbol,date,volume\n" + 9000 * b"A" + b",2025-12-15,5\n", "Line 2: symbol 'A{60}...' has more than 100"),
        (
            b'symbol,date,volume\nA,2025-12-15,"1234567,89"\n',
            "'1234567,89' has a comma that does not separate",
        ),
        (b'symbol,date,volume\nA,2025-12-15,"1,5"\n', "has a comma that does not separate thousands"),
        (b"symbol,date,volume\nA,02/30/2025,5\n", "Line 2: date '02/30/2025' is not a date"),
        (b"symbol,date,volume,Volume\nA,2025-12-15,5,6\n", "It has several columns 'volume'"),
        (b"symbol,date,volume\n", "It has no rows"),
    ],
)
def test_what_is_not_a_file_of_volumes_is_one_sentence(content: bytes, words: str) -> None:
    with pytest.raises(Invalid, match=words):
        consolidated.read(content, "S")


@pytest.mark.parametrize(
    "content",
    [
        b"\nsymbol,date,volume\nTRUE,2025-12-15,12345678901234567.123456\n",
        b"symbol,date,volume\rTRUE,2025-12-15,12345678901234567.123456\r",
        b'\xef\xbb\xbfdate,"volume",symbol\r\n12/15/2025,"12,345,678,901,234,567.123456",TRUE\r\n',
    ],
)
def test_no_type_is_guessed_whatever_is_above_the_header_and_ends_a_line(content: bytes) -> None:
    [row] = consolidated.read(content, "S").to_pylist()
    assert (row["symbol"], row["volume"]) == ("TRUE", Decimal("12345678901234567.123456"))


def test_a_parquet_file_with_too_many_rows_is_refused_before_they_are_read() -> None:
    sink = io.BytesIO()
    many = pa.repeat("A", columns.MAX_ROWS + 1)
    pq.write_table(pa.table({"symbol": many, "date": many, "volume": many}), sink)
    with pytest.raises(Invalid, match="It has more than 5,000,000 rows: split it"):
        consolidated.read(sink.getvalue(), "S")


def test_a_generated_year_is_read_whole() -> None:
    rows = traded(date(2025, 1, 1), date(2025, 12, 31))
    table, warning = market.read(market_file(rows).encode())
    assert (table.num_rows, warning) == (3 * len(rows), None)


@pytest.mark.parametrize(
    ("text", "ratio"),
    [
        ("4:1", "4"),
        ("1:10", "0.1"),
        ("3/2", "1.5"),
        ("3 for 2", "1.5"),
        ("1-for-3", "0.333333333333"),
        ("2.5", "2.5"),
    ],
)
def test_ratios_are_read_as_people_write_them(text: str, ratio: str) -> None:
    [row] = splits.read(f"Symbol,Ex-Date,Ratio\nBRK/B,11/10/2025,{text}\n".encode()).to_pylist()
    assert row == {
        "symbol": "BRK.B",
        "day": MONDAY,
        "ratio": Decimal(ratio),
        "week_ending": date(2025, 11, 14),
        "mixed_ratio": None,
        "known_from": None,
    }


@given(old=st.integers(1, 100), new=st.integers(1, 100), day=st.dates(date(2025, 1, 1), date(2025, 12, 26)))
def test_a_split_belongs_to_the_week_of_the_first_trading_day_with_new_shares(old: int, new: int, day: date) -> None:
    known = "2025-01-01T09:30:00-05:00"
    [row] = splits.read(f"symbol,ex_date,ratio,known from\nA,{day},{new}:{old},{known}\n".encode()).to_pylist()
    expected = Given("A", day, Fraction(new, old))
    assert (row["week_ending"], row["mixed_ratio"]) == (expected.week, expected.mixed_ratio)
    assert row["known_from"] == datetime.fromisoformat(known)


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ("A,2025-11-10", "It is not a CSV file"),
        ("A,2025-11-10,,", "Line 2: ratio '' is not new shares for old ones"),
        ("A,2025-11-10,4:0,", "Line 2: ratio '4:0' is not"),
        ("A,2025-11-10,-4,", "Line 2: ratio '-4' is not"),
        ("A,2025-11-10,1e9,", "Line 2: ratio '1e9' is not"),
        ("A,2025-11-10,1:999999999,", "Line 2: ratio '1:999999999' is not"),
        ("A,2025-11-31,4,", "Line 2: ex_date '2025-11-31' is not a date"),
        (",2025-11-10,4,", "Line 2: symbol '' is empty"),
        ("A,2025-11-10,4,soon", "Line 2: known_from 'soon' is not a date"),
        ("A,2025-11-10,4,2025-11-01T10:00:00", "Line 2: known_from '2025-11-01T10:00:00' is not a date"),
        ("A,2025-11-10,4,0001-01-01T00:00:00+14:00", "Line 2: known_from '0001"),
        ("A,2025-11-10,4,\nA,2025-11-11,2,", "It has two rows of A, 2025-11-14"),
    ],
)
def test_what_is_not_a_file_of_splits_is_one_sentence(lines: str, words: str) -> None:
    with pytest.raises(Invalid, match=words):
        splits.read(f"symbol,ex_date,ratio,known_from\n{lines}\n".encode())
