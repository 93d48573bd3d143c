from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from otcpipe.datasets import TIERS
from otcpipe.errors import Invalid
from otcpipe.records import Partition
from otcpipe.storage import keys
from otcpipe.storage.keys import Key
from otcpipe.weeks import week_ending

PREFIX = "finra/otc"
THREE = "\u0663"  # a digit, to Python
DIGEST = "0123456789abcdef" * 4
RAW = f"raw/T1/2024-01-05/{DIGEST}.psv.gz"
PARTITIONS = st.builds(
    Partition, st.dates(date(2014, 1, 1), date(2099, 12, 27)).map(week_ending), st.sampled_from(list(TIERS))
)
NAMES = st.sampled_from([(kind, ext) for kind, extensions in keys.EXTENSIONS.items() for ext in extensions])
DIGESTS = st.text("0123456789abcdef", min_size=64, max_size=64)
OBJECTS = st.builds(lambda at, name, digest: Key(PREFIX, name[0], at, digest, name[1]), PARTITIONS, NAMES, DIGESTS)
KEYS = OBJECTS | PARTITIONS.map(lambda partition: keys.of_partition(PREFIX, partition))
WRONG = {
    "nothing": "",
    "the prefix alone": f"{PREFIX}/",
    "a way up": f"../{RAW}",
    "a way up after the prefix": f"{PREFIX}/../../{RAW}",
    "a way up inside": f"raw/T1/../T2/2024-01-05/{DIGEST}.psv.gz",
    "an absolute path": f"/{RAW}",
    "an absolute prefix": f"/{PREFIX}/{RAW}",
    "a URL": f"s3://{PREFIX}/{RAW}",
    "another prefix": f"other/prefix/{RAW}",
    "half of the prefix": f"otc/{RAW}",
    "the prefix twice": f"{PREFIX}/{PREFIX}/{RAW}",
    "a double slash": f"raw//T1/2024-01-05/{DIGEST}.psv.gz",
    "a double slash after the prefix": f"{PREFIX}//{RAW}",
    "a backslash": RAW.replace("/", "\\"),
    "a slash at the end": f"{RAW}/",
    "a newline at the end": f"{RAW}\n",
    "a newline before": f"\n{RAW}",
    "a NUL": f"{RAW}\0",
    "a space": f" {RAW}",
    "unicode digits in the date": f"raw/T1/202{THREE}-01-05/{DIGEST}.psv.gz",
    "unicode digits in the digest": f"raw/T1/2024-01-05/{THREE * 64}.psv.gz",
    "hexadecimal in capitals": f"raw/T1/2024-01-05/{DIGEST.upper()}.psv.gz",
    "a digest that is too short": f"raw/T1/2024-01-05/{DIGEST[1:]}.psv.gz",
    "a digest that is too long": f"raw/T1/2024-01-05/0{DIGEST}.psv.gz",
    "a Thursday": f"raw/T1/2024-01-04/{DIGEST}.psv.gz",
    "30 February": f"raw/T1/2025-02-30/{DIGEST}.psv.gz",
    "the year 0": f"raw/T1/0000-01-07/{DIGEST}.psv.gz",
    "a date without hyphens": f"raw/T1/20240105/{DIGEST}.psv.gz",
    "an unknown kind": f"cooked/T1/2024-01-05/{DIGEST}.psv.gz",
    "an unknown tier": f"raw/T3/2024-01-05/{DIGEST}.psv.gz",
    "FINRA's stray tier": f"raw/NMS/2024-01-05/{DIGEST}.psv.gz",
    "a tier in small letters": f"raw/t1/2024-01-05/{DIGEST}.psv.gz",
    "an unknown extension": f"raw/T1/2024-01-05/{DIGEST}.exe",
    "another kind's extension": f"raw/T1/2024-01-05/{DIGEST}.parquet",
    "no extension": f"raw/T1/2024-01-05/{DIGEST}",
    "an object without a name": "raw/T1/2024-01-05",
    "a partition with a name": f"partition/T1/2024-01-05/{DIGEST}.json",
}


@given(KEYS)
def test_a_key_is_read_back_with_and_without_its_prefix(key: Key) -> None:
    assert keys.parse(str(key), PREFIX) == key
    assert keys.parse(str(key).removeprefix(f"{PREFIX}/"), PREFIX) == key


@pytest.mark.parametrize("text", WRONG.values(), ids=WRONG)
def test_what_is_not_exactly_a_key_is_refused(text: str) -> None:
    with pytest.raises(Invalid) as error:
        keys.parse(text, PREFIX)
    assert str(error.value).startswith(f"{text!r} is not a key; a key looks like raw/T1/2024-01-05/")


@given(KEYS, st.integers(0, 150), st.integers(0, 3), st.text(max_size=4))
def test_a_key_with_anything_put_into_it_is_refused_or_is_exactly_what_it_says(
    key: Key, at: int, gone: int, put: str
) -> None:
    text = str(key)[:at] + put + str(key)[at + gone :]
    try:
        read = keys.parse(text, PREFIX)
    except Invalid:
        return
    assert str(read) in (text, f"{PREFIX}/{text}")


@pytest.mark.parametrize(
    ("week", "reason"),
    [
        ("0001-01-05", "was never published: the feed begins in 2014"),
        ("1999-12-31", "was never published: the feed begins in 2014"),
        ("2013-12-27", "was never published: the feed begins in 2014"),
        ("2100-01-01", "has not ended yet"),
        ("9999-12-31", "has not ended yet"),
    ],
)
@pytest.mark.parametrize(
    "form", ["partition/{}/{}", f"raw/{{}}/{{}}/{DIGEST}.psv.gz", f"fetched/{{}}/{{}}/{DIGEST}.json"]
)
@pytest.mark.parametrize("tier", TIERS)
def test_a_key_of_a_week_outside_the_feed_is_refused(form: str, tier: str, week: str, reason: str) -> None:
    with pytest.raises(Invalid, match=f"names an impossible week. The week ending {week} {reason}"):
        keys.parse(form.format(tier, week), PREFIX)


def test_a_key_of_a_week_that_has_not_ended_is_refused_when_now_is_given() -> None:
    thursday = datetime(2024, 1, 4, 12, tzinfo=UTC)
    with pytest.raises(Invalid, match="The week ending 2024-01-05 has not ended yet"):
        keys.parse(RAW, PREFIX, thursday)
    assert keys.parse(RAW, PREFIX, thursday + timedelta(days=1)) == keys.parse(RAW, PREFIX)


def test_another_key_is_parsed_within_the_same_prefix() -> None:
    key = keys.parse(RAW, "mine")
    assert str(key.parse_other(f"partition/T2/{date(2024, 1, 12)}")) == "mine/partition/T2/2024-01-12"
    with pytest.raises(Invalid):
        key.parse_other(f"yours/{RAW}")


def test_a_partition_is_named_by_its_tier_and_friday() -> None:
    key = keys.of_partition(PREFIX, Partition(date(2024, 1, 5), "OTCE"))
    assert str(key) == "finra/otc/partition/OTCE/2024-01-05"


def test_a_sibling_differs_in_kind_and_name_only() -> None:
    key = keys.parse(f"normalized/T1/2024-01-05/{DIGEST}.parquet", PREFIX)
    assert str(key.sibling("rejected", DIGEST)) == f"{PREFIX}/rejected/T1/2024-01-05/{DIGEST}.parquet"
    assert key.sibling("fetched", DIGEST).extension == "json"
    assert key.sibling("fetched", DIGEST, "psv.gz").extension == "psv.gz"


def test_a_derived_key_is_the_same_for_ever() -> None:
    derived = keys.parse(RAW, PREFIX).derived("parsed", "parse", 1)
    digest = "fe011fab8cc0e3beea66095670427e8ff1f7a645951bc6e0048745d89f485956"
    assert str(derived) == f"finra/otc/parsed/T1/2024-01-05/{digest}.parquet"


@settings(deadline=None, max_examples=40)
@given(st.lists(st.tuples(OBJECTS, st.sampled_from(["parse", "normalize"]), st.integers(1, 99)), max_size=8))
def test_derived_keys_are_equal_when_key_stage_and_version_are(made: list[tuple[Key, str, int]]) -> None:
    twice = [*made, *made]
    assert len({key.derived("parsed", stage, version) for key, stage, version in twice}) == len(set(made))
    assert len({key.derived("parsed", stage, version).digest for key, stage, version in twice}) == len(set(made))


def test_a_change_of_key_or_stage_or_version_alone_changes_the_derived_key() -> None:
    key, other = keys.parse(RAW, PREFIX), keys.parse(RAW.replace("T1", "T2"), PREFIX)
    calls = [(key, "parse", 1), (other, "parse", 1), (key, "normalize", 1), (key, "parse", 2)]
    assert len({at.derived("parsed", stage, version).digest for at, stage, version in calls}) == 4


def test_a_digest_is_the_sha256_of_the_bytes() -> None:
    assert keys.sha256(b"abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
