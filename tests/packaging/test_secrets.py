"""`scripts/secrets`: every secret whole, or a sentence and no secret."""

import os
import resource
import shutil
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.packaging.test_compose import checkout

BLANK = {  # for the user to fill in
    *("backup_s3_access_key", "backup_s3_secret_key"),
    *("finra_client_id", "finra_client_secret", "finra_proxy", "alert_urls"),
}


def run(script: Path, limit: Callable[[], None] | None = None, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [shutil.which("bash") or "bash", script],
        env=os.environ | environ,
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=limit,
    )


def made(script: Path) -> dict[str, str]:
    folder = script.parent.parent / ".secrets"
    return {path.name: path.read_text() for path in folder.iterdir()} if folder.exists() else {}


def without(program: str, directory: Path) -> str:
    """A PATH that has all programs but one."""
    directory.mkdir()
    for folder in reversed(os.environ["PATH"].split(":")):
        for path in Path(folder).glob("*"):
            link = directory / path.name
            if path.name != program and path.is_file():
                link.unlink(missing_ok=True)
                link.symlink_to(path)
    return str(directory)


def full_disk() -> None:
    """No byte may be written to any file."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))


@pytest.mark.parametrize("program", ["od", "tr", "sed", "openssl"])
def test_without_a_program_that_it_needs_it_says_so_and_keeps_nothing(program: str, tmp_path: Path) -> None:
    script = checkout(tmp_path / "checkout")
    done = run(script, PATH=without(program, tmp_path / "bin"))
    assert done.returncode == 1
    assert f"`{program}` is missing" in done.stderr
    assert made(script) == {}


@pytest.mark.parametrize("broken", ["exit 1", "exit 0", "echo ab cd", "printf '%041d' 0"])
def test_an_od_that_fails_or_gives_too_little_or_too_much_leaves_no_secret(broken: str, tmp_path: Path) -> None:
    script = checkout(tmp_path / "checkout")
    (tmp_path / "od").write_text(f"#!/bin/sh\n{broken}\n")
    (tmp_path / "od").chmod(0o755)
    done = run(script, PATH=f"{tmp_path}:{os.environ['PATH']}")
    assert done.returncode == 1
    assert done.stderr.startswith("scripts/secrets: `od`")
    assert made(script) == {}


def test_on_a_full_disk_it_says_so_keeps_nothing_and_goes_on_later(tmp_path: Path) -> None:
    script = checkout(tmp_path / "checkout")
    done = run(script, full_disk)
    assert done.returncode == 1
    assert "is the disk full?" in done.stderr
    assert made(script) == {}
    assert run(script).returncode == 0
    assert {name for name, text in made(script).items() if not text} == BLANK


def test_a_disk_that_is_full_later_leaves_the_old_secrets_as_they_were(tmp_path: Path) -> None:
    script = checkout(tmp_path / "checkout")
    run(script)
    before = made(script)
    (tmp_path / "checkout" / ".secrets" / "seaweedfs_certificate").unlink()
    (tmp_path / "checkout" / ".secrets" / "s3_secret_key").write_text("\n")
    done = run(script, full_disk)
    assert done.returncode == 1
    after = made(script)
    assert {*before} - {*after} == {"seaweedfs_certificate"} and {*after} <= {*before}
    assert [name for name in after if after[name] != before[name]] == ["s3_secret_key"]


@pytest.mark.parametrize("empty", ["", "\n", "  \n"])
def test_an_empty_secret_of_an_earlier_run_is_made_again_with_all_that_depends_on_it(
    empty: str, tmp_path: Path
) -> None:
    script = checkout(tmp_path / "checkout")
    run(script)
    folder = tmp_path / "checkout" / ".secrets"
    before = made(script)
    (folder / "postgres_password").write_text(empty)
    (folder / "database_url").write_text("postgresql://otcpipe:@postgres:5432/otcpipe")
    (folder / "seaweedfs_certificate_key").write_text(empty)
    (folder / "seaweedfs_volume_token").write_text(empty)
    (folder / "redis_url").write_text("rediss://:mine@elsewhere/0")
    assert run(script).returncode == 0
    after = made(script)
    assert len(after["postgres_password"]) == len(after["seaweedfs_volume_token"]) == 40
    assert after["database_url"] == f"postgresql://otcpipe:{after['postgres_password']}@postgres:5432/otcpipe"
    assert after["seaweedfs_certificate"] != before["seaweedfs_certificate"]
    assert after["seaweedfs_volume_token"] in after["seaweedfs_security"]
    assert after["redis_url"] == "rediss://:mine@elsewhere/0", "what the user changed is the user's"
    assert after["s3_secret_key"] == before["s3_secret_key"]


def test_an_existing_folder_is_closed_and_its_files_stay_readable_for_the_containers(tmp_path: Path) -> None:
    script = checkout(tmp_path / "checkout")
    folder = tmp_path / "checkout" / ".secrets"
    folder.mkdir()
    folder.chmod(0o777)
    (folder / "finra_client_secret").write_text("sesame")
    (folder / "finra_client_secret").chmod(0o666)
    assert run(script).returncode == 0
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o644}
    assert (folder / "finra_client_secret").read_text() == "sesame"


def test_a_folder_that_is_a_link_is_refused(tmp_path: Path) -> None:
    script = checkout(tmp_path / "checkout")
    (tmp_path / "elsewhere").mkdir(mode=0o755)
    (tmp_path / "checkout" / ".secrets").symlink_to(tmp_path / "elsewhere")
    done = run(script)
    assert done.returncode == 1
    assert "symbolic link" in done.stderr
    assert stat.S_IMODE((tmp_path / "elsewhere").stat().st_mode) == 0o755
