import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from otcpipe import settings
from otcpipe.cli.overrides import overrides
from otcpipe.errors import Invalid, OtcpipeError
from otcpipe.settings import syntax

SECRET = "s3cret"
URL = f"postgresql://otcpipe:{SECRET}@127.0.0.1:5432/otcpipe"
HOST = "\u2100"  # a/c in one character, which a URL must not hold
ELSEWHERE = {"OTCPIPE_HOME": "/nowhere"}
WRONG = [
    ("DATABASE_URL", f"mysql://u:{SECRET}@host/db"),
    ("DATABASE_URL", f"host=localhost password={SECRET}"),
    ("DATABASE_URL", f"postgresql:{SECRET}"),
    ("REDIS_URL", f"http://:{SECRET}@host"),
    ("S3_ENDPOINT", f"{SECRET}.host:8333"),
    ("FINRA_URL", f"ftp://{SECRET}.host"),
    ("FINRA_TOKEN_URL", f"{SECRET}.host"),
    ("FINRA_URL", f"https://u:{SECRET}@[:::::]"),
    ("REDIS_URL", f"redis://u:{SECRET}@[1:2:3]:80"),
    ("DATABASE_URL", f"postgresql://u:{SECRET}@[:::::]/otcpipe"),
    ("S3_PREFIX", f"/{SECRET}"),
    ("S3_PREFIX", f"{SECRET}/"),
    ("S3_PREFIX", f"a//{SECRET}"),
    ("BACKUP", f"relative/{SECRET}"),
    ("WEB_HOST", "1:2"),
    ("TELEMETRY_HOST", ":::::"),
    ("FINRA_RATE", f"{SECRET}"),
    ("FINRA_RATE", "0000"),
    ("FINRA_RATE", "-987"),
    ("FINRA_RATE", "98765"),
    ("FINRA_RATE", "9.87"),
    ("FINRA_RATE", "\u00b2"),
    ("FINRA_FORMAT", "XML"),
    ("FINRA_FORMAT", "JSON"),
    ("LOG", "xml"),
    ("TELEMETRY_PORT", "0"),
    ("TELEMETRY_PORT", "65536"),
    ("TELEMETRY_PORT", "987654"),
    ("TIERS", "T1;T2"),
    ("TIERS", "T1,,T2"),
    ("TIERS", "T9"),
    ("SINCE", "yesterday"),
    ("SINCE", "2026-02-30"),
    ("SINCE", "0001-01-05"),
    ("SINCE", "2013-12-27"),
    ("SINCE", "2100-01-01"),
    ("SINCE", "9999-12-31"),
    ("NOW", "yesterday"),
    ("NOW", "2026-11-24"),
    ("NOW", "2026-11-23T12:34:56"),
    ("NOW", "0001-01-01T00:00:00+05:00"),
    ("NOW", "2013-12-31T12:34:56Z"),
    ("NOW", "2100-01-01T00:00:00Z"),
    ("NOW", "9999-12-31T23:59:59-05:00"),
]


def load(home: Path | None = None, /, **values: str) -> settings.Settings:
    """Settings from variables without `OTCPIPE_` and nothing else."""
    place = ELSEWHERE if home is None else {"OTCPIPE_HOME": str(home)}
    return settings.load(place | {f"OTCPIPE_{name}": text for name, text in values.items()})


def stack(home: Path, **values: str) -> Path:
    """A home in which a stack with these variables seems to run."""
    state = {"pid": 1, "environment": {f"OTCPIPE_{name}": text for name, text in values.items()}}
    (home / "stack.json").write_text(json.dumps(state))
    return home


@pytest.mark.parametrize(("name", "text"), [("WEB_HOST", "::1"), ("REDIS_URL", "redis://[fe80::1%25eth0]:6379")])
def test_an_address_of_ipv6_is_one(name: str, text: str) -> None:
    assert load(**{name: text})[name] == text


def test_a_state_file_that_cannot_be_read_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "stack.json").write_text('{"environment": {"OTCPIPE_REDIS_URL": 5}}')
    with pytest.raises(Invalid, match="is not a state file"):
        load(tmp_path)
    (tmp_path / "stack.json").unlink()
    (tmp_path / "stack.json").mkdir()
    with pytest.raises(Invalid, match="cannot be read: Is a directory"):
        load(tmp_path)


def test_the_environment_overrides_the_state_file_which_overrides_the_default(tmp_path: Path) -> None:
    home = stack(tmp_path, S3_BUCKET="of-the-stack", S3_REGION="of-the-stack")
    found = load(home, S3_BUCKET="of-the-environment")
    results = [found[name] for name in ("S3_BUCKET", "S3_REGION", "S3_PREFIX")]
    assert results == ["of-the-environment", "of-the-stack", "finra/otc"]


def test_a_running_stack_is_enough(tmp_path: Path) -> None:
    assert load(stack(tmp_path, DATABASE_URL=URL))["DATABASE_URL"] == URL


def test_an_empty_variable_is_as_good_as_none(tmp_path: Path) -> None:
    found = load(stack(tmp_path, DATABASE_URL=URL), DATABASE_URL="", FINRA_RATE="", NOW="")
    assert (found["DATABASE_URL"], found["FINRA_RATE"]) == (URL, "18")


def test_other_programs_variables_are_not_ours() -> None:
    found = settings.load(ELSEWHERE | {"DATABASE_URL": "elsewhere", "S3_BUCKET": "elsewhere", "NOTCPIPE_X": "1"})
    assert found["S3_BUCKET"] == "otcpipe"


def test_the_process_environment_is_read_when_none_is_given(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("OTCPIPE_HOME", str(tmp_path))
    monkeypatch.setenv("OTCPIPE_S3_BUCKET", "mine")
    found = settings.load()
    assert (found["S3_BUCKET"], found.home) == ("mine", tmp_path)


def test_the_home_is_absolute(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    assert load(Path("mine")).home == tmp_path / "mine"


def test_the_home_is_found_from_any_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    data, deep = tmp_path / "data", tmp_path / "project" / "a" / "b"
    deep.mkdir(parents=True)
    monkeypatch.chdir(deep)
    assert settings.load({"XDG_DATA_HOME": str(data)}).home == data / "otcpipe"
    assert settings.load({"HOME": str(data), "XDG_DATA_HOME": "relative"}).home.is_relative_to(data)
    for folder in (tmp_path / "project", deep):  # the nearest wins
        (folder / ".otcpipe").mkdir()
        assert settings.load({"XDG_DATA_HOME": str(data)}).home == folder / ".otcpipe"
    assert settings.load({"OTCPIPE_HOME": "mine"}).home == deep / "mine"
    monkeypatch.setattr("os.geteuid", lambda: deep.stat().st_uid + 1)
    assert settings.load({"XDG_DATA_HOME": str(data)}).home == data / "otcpipe", "it belongs to another user"


def test_what_the_environment_overrides_of_a_stack_is_named(tmp_path: Path) -> None:
    home = stack(tmp_path, DATABASE_URL=URL, S3_BUCKET="of-the-stack", S3_REGION="same")
    found = load(home, DATABASE_URL=f"{URL}2", S3_REGION="same", LOG="json")
    assert found.overridden == ("OTCPIPE_DATABASE_URL",)
    assert overrides({"OTCPIPE_HOME": str(home), "OTCPIPE_S3_BUCKET": "another"}) == [
        f"The environment overrides values of the stack in {home}: `unset OTCPIPE_S3_BUCKET` removes them."
    ]
    assert overrides({"OTCPIPE_HOME": str(home)}) == []


@pytest.mark.parametrize("name", settings.SERVERS)
def test_a_server_that_is_not_set_says_what_to_do(name: str) -> None:
    with pytest.raises(Invalid, match=f"^OTCPIPE_{name} is not set .* start one with `otcpipe up`"):
        load()[name]


@pytest.mark.parametrize(("name", "text"), WRONG)
def test_a_wrong_value_names_itself_and_is_not_shown(name: str, text: str) -> None:
    with pytest.raises(Invalid) as error:
        load(**{name: text})
    assert str(error.value).startswith(f"OTCPIPE_{name} must be ")
    assert text not in str(error.value)
    assert SECRET not in str(error.value)


@pytest.mark.parametrize("name", syntax.SCHEMES)
@given(st.text(max_size=20))
@example("[")
@example(f"host{HOST}")
def test_no_text_of_a_url_gets_through_or_gets_out(name: str, text: str) -> None:
    message = f"OTCPIPE_{name} must be "
    try:
        load(**{name: f"{syntax.SCHEMES[name][0]}://u:{SECRET}@{text}"})
    except Invalid as error:
        message = str(error)
    assert message.startswith(f"OTCPIPE_{name} must be ")
    assert SECRET not in message


@pytest.mark.parametrize("name", ["DATABASE", "database_url", "S3_SECRET", "FINRA_RATES", ""])
def test_an_unknown_name_is_an_error(name: str) -> None:
    with pytest.raises(Invalid) as error:
        load(**{name: SECRET})
    assert str(error.value) == f"OTCPIPE_{name} is not a setting of otcpipe."


def test_a_wrong_value_in_the_state_file_is_found_too(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="OTCPIPE_REDIS_URL must be a URL that starts with redis://"):
        load(stack(tmp_path, REDIS_URL=SECRET))


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"environment": []}'])
def test_a_damaged_state_file_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "stack.json").write_text(text)
    with pytest.raises(OtcpipeError, match=r"stack\.json"):
        load(tmp_path)


@pytest.mark.parametrize(
    ("name", "text"), [("FINRA_RATE", "1"), ("FINRA_RATE", "1000"), ("FINRA_FORMAT", "json"), ("SINCE", "2025-01-03")]
)
def test_a_valid_value_is_kept(name: str, text: str) -> None:
    assert load(**{name: text})[name] == text


def test_no_secret_shows_in_a_repr() -> None:
    found = load(DATABASE_URL=URL, S3_SECRET_KEY=SECRET, S3_ACCESS_KEY=SECRET, FINRA_CLIENT_SECRET=SECRET)
    assert found["S3_SECRET_KEY"] == SECRET
    assert SECRET not in f"{found!r} {found} {[found]}"


@pytest.mark.parametrize("text", ["2026-11-23T12:00:00Z", "2026-11-23T07:00:00-05:00", "2026-11-23 13:00+01:00"])
def test_the_clock_can_be_frozen(text: str) -> None:
    now = load(NOW=text).now()
    assert (now, now.utcoffset()) == (datetime(2026, 11, 23, 12, tzinfo=UTC), timedelta(0))


def test_now_is_the_present_when_nothing_is_said() -> None:
    before = datetime.now(UTC)
    assert before <= load().now() <= datetime.now(UTC)


@pytest.mark.parametrize("name", [*settings.SERVERS, *settings.DEFAULTS])
def test_every_setting_may_be_in_a_file_with_a_line_end(tmp_path: Path, name: str) -> None:
    right = {
        "NOW": "2026-11-23T12:00:00Z",
        "LOG": "json",
        "FINRA_FORMAT": "json",
        "FINRA_RATE": "7",
        "LEASE": "20",
        "SINCE": "2025-01-03",
        "TIERS": "T2",
        "CA_BUNDLE": str(tmp_path / "bundle"),
        "WEB_TOKEN": "0123456789abcdef",
        "WEB_ORIGINS": "https://one.example, http://127.0.0.1:8000",
        "HOME": str(tmp_path),
        "PUBLISH": str(tmp_path / "lake"),
        "BACKUP": str(tmp_path / "copy"),
    }
    (tmp_path / "bundle").write_text("-----BEGIN CERTIFICATE-----")
    text = right.get(name, f"{syntax.SCHEMES[name][0]}://u:{SECRET}@host" if name in syntax.SCHEMES else "4711")
    (tmp_path / "secret").write_text(f"{text}\n")
    assert (
        settings.load(({} if name == "HOME" else ELSEWHERE) | {f"OTCPIPE_{name}_FILE": str(tmp_path / "secret")})[
            name
        ]
        == text
    )


def test_a_setting_that_is_given_twice_names_itself(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(SECRET)
    with pytest.raises(Invalid, match="^OTCPIPE_S3_SECRET_KEY and OTCPIPE_S3_SECRET_KEY_FILE are both set") as error:
        load(S3_SECRET_KEY=SECRET, S3_SECRET_KEY_FILE=str(tmp_path / "secret"))
    assert SECRET not in str(error.value)


def test_a_file_overrides_the_running_stack(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("of-the-file")
    assert (
        load(stack(tmp_path, S3_BUCKET="of-the-stack"), S3_BUCKET_FILE=str(tmp_path / "secret"))["S3_BUCKET"]
        == "of-the-file"
    )


@pytest.mark.parametrize(("content", "reason"), [(None, "No such file"), (b"\xff", "not text")], ids=str)
def test_a_file_that_gives_no_value_is_named_by_its_setting(
    tmp_path: Path, content: bytes | None, reason: str
) -> None:
    file = tmp_path / SECRET
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(Invalid, match=f"^The file that OTCPIPE_REDIS_URL_FILE names .*{reason}") as error:
        load(REDIS_URL_FILE=str(file))
    assert SECRET not in str(error.value)


def test_a_wrong_value_from_a_file_is_not_shown(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(f"mysql://u:{SECRET}@host/db")
    with pytest.raises(Invalid, match="^OTCPIPE_DATABASE_URL must be ") as error:
        load(DATABASE_URL_FILE=str(tmp_path / "secret"))
    assert SECRET not in str(error.value)


def test_a_file_for_what_is_no_setting_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(SECRET)
    with pytest.raises(Invalid, match="^OTCPIPE_PASSWORD is not a setting"):
        load(PASSWORD_FILE=str(tmp_path / "secret"))


def test_an_empty_file_is_as_good_as_none(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("\n")
    assert load(FINRA_CLIENT_SECRET_FILE=str(tmp_path / "secret"), FINRA_RATE_FILE="")["FINRA_CLIENT_SECRET"] == ""


def test_the_first_week_expected_has_ended_by_the_clock_of_the_settings() -> None:
    clock = "2025-01-03T12:00:00Z"
    assert load(SINCE="2025-01-01", NOW=clock).since == datetime.fromisoformat("2025-01-03").date()
    with pytest.raises(Invalid, match="OTCPIPE_SINCE must be a date such as 2025-01-03, of a week that has ended"):
        load(SINCE="2025-01-06", NOW=clock)
