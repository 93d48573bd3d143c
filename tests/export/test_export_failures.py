"""An export that cannot go on ends at once, says why, and leaves nothing behind: no file, no transaction."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from otcpipe import resources
from otcpipe.export import FORMATS
from otcpipe.metrics import catalog
from otcpipe.metrics.rows import Choice
from otcpipe.records import Partition
from otcpipe.stack import Supervisor
from otcpipe.storage import arrow
from tests.conftest import place, run_command
from tests.support.pipeline import WEEK, drive, file_text, observe

ROWS = 120_000  # more than one batch, and more than the sockets between server and client hold
SECONDS = 40  # of a whole process, on a machine that is busy
Run = Callable[..., "subprocess.CompletedProcess[str]"]
ON_A_DISK = """
mount -t tmpfs -o size="$0" tmpfs . && cd "$PWD" || exit 9
"$@"
code=$?
ls -A
exit $code
"""


@pytest.fixture(scope="module", autouse=True)
def large(servers: Supervisor, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """A week of so many records that no buffer holds them."""
    with place(servers, tmp_path_factory.mktemp("home")) as variables:
        rows = [(f"S{number}", "AAAA", number + 1, 1) for number in range(ROWS)]
        drive(observe(file_text(rows), Partition(WEEK, "OTCE")))
        yield variables


@pytest.fixture
def run(large: dict[str, str], imported: socket.socket) -> Run:
    """Runs the real command line: with files of so many blocks of 1,024 bytes at most, or on a disk of some size.

    The disk is mounted over the working directory, for this process alone; what is left there is printed.
    """

    def start(
        *arguments: object, blocks: int | None = None, disk: str | None = None, **more: Any
    ) -> "subprocess.CompletedProcess[str]":
        if blocks is None and disk is None and not more:
            return run_command(imported, large, *arguments)
        command = [sys.executable, "-m", "otcpipe", *(os.fspath(_path(one)) for one in arguments)]
        if blocks is not None:
            command = ["bash", "-c", f'ulimit -f {blocks}; exec "$@"', "bash", *command]
        if disk is not None:
            command = ["unshare", "--map-root-user", "--mount", "sh", "-c", ON_A_DISK, disk, *command]
        streams = {"stdout": subprocess.PIPE} | more
        return subprocess.run(
            command, env=os.environ | large, stderr=subprocess.PIPE, text=True, timeout=100, check=False, **streams
        )

    return start


def _path(argument: object) -> str | Path:
    return argument if isinstance(argument, Path) else str(argument)


def export(folder: Path, form: str = "parquet") -> tuple[object, ...]:
    return ("export", "venue_volume", "--format", form, "-o", folder)


def open_transactions() -> int:
    """Transactions on the database, but for the one that asks."""
    with resources.database().transaction() as transaction:
        [row] = transaction.connection.execute(
            "select count(*) from pg_stat_activity where datname = current_database()"
            " and pid <> pg_backend_pid() and backend_type = 'client backend' and state <> 'idle'"
        ).fetchall()
    return int(row["count"])


def _raise(error: BaseException) -> None:
    raise error


RECORDS = Choice(catalog.table("venue_volume"))
FAILURES: dict[str, tuple[Callable[[], None], type[BaseException]]] = {
    "a full disk": (lambda: _raise(OSError(28, "No space left on device")), OSError),
    "Ctrl-C": (lambda: signal.raise_signal(signal.SIGINT), KeyboardInterrupt),
    "a defect": (lambda: _raise(ValueError("x")), ValueError),
}


@pytest.mark.parametrize("name", FAILURES)
def test_rows_that_are_half_read_are_cancelled_when_the_transaction_ends(name: str) -> None:
    fail, kind = FAILURES[name]
    started = time.monotonic()
    with pytest.raises(kind), resources.database().transaction() as transaction:
        batches = arrow.stream(transaction, RECORDS.query(["symbol"]), is_float=False, **RECORDS.values(WEEK, WEEK))
        assert next(batches).num_rows
        fail()
    assert time.monotonic() - started < SECONDS
    assert open_transactions() == 0
    with resources.database().transaction() as transaction:  # and the connection is of use
        assert arrow.count(transaction, RECORDS.query(["symbol"]), **RECORDS.values(WEEK, WEEK)) == ROWS


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("blocks", [0, 64])
def test_a_disk_that_takes_no_more_ends_an_export_with_one_sentence_and_leaves_nothing(
    blocks: int, form: str, run: Run, tmp_path: Path
) -> None:
    started = time.monotonic()
    done = run(*export(tmp_path / "a" / "b", form), blocks=blocks)
    assert time.monotonic() - started < SECONDS
    assert (done.returncode, done.stdout) == (1, "")
    assert (
        done.stderr == f"otcpipe: {tmp_path}/a/b/venue_volume/week_ending={WEEK} cannot be written: File too large.\n"
    )
    assert list(tmp_path.iterdir()) == []
    assert open_transactions() == 0


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("size", ["4k", "256k"])
def test_a_full_disk_ends_an_export_with_one_sentence_and_leaves_nothing(
    size: str, form: str, run: Run, tmp_path: Path
) -> None:
    started = time.monotonic()
    done = run(*export(Path("a"), form), disk=size, cwd=tmp_path)
    assert time.monotonic() - started < SECONDS
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        f"otcpipe: a/venue_volume/week_ending={WEEK} cannot be written: No space left on device.\n"
    )
    assert open_transactions() == 0


def test_a_full_disk_ends_a_report_with_one_sentence_and_leaves_nothing(run: Run, tmp_path: Path) -> None:
    done = run("report", "-o", "report.html", disk="16k", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "otcpipe: report.html cannot be written: No space left on device.\n"
    assert open_transactions() == 0


@pytest.mark.parametrize("form", FORMATS)
def test_a_failure_leaves_an_earlier_export_as_it_was(form: str, run: Run, tmp_path: Path) -> None:
    assert run(*export(tmp_path, form)).returncode == 0
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert len(before) == len(FORMATS) - (form == "parquet")
    assert run(*export(tmp_path, form), blocks=64).returncode == 1
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_a_directory_that_cannot_be_one_is_a_wrong_path(run: Run, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("kept")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    wrong = [
        Path("/dev/full"),
        Path("/dev/null/x"),
        Path("/proc/nothing"),
        tmp_path / "file",
        tmp_path / "loop",
        tmp_path / ("x" * 300),
    ]
    for folder in wrong:
        done = run(*export(folder))
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1), folder
        assert done.stderr.startswith(f"otcpipe: {folder}"), folder
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "loop"]
    assert (tmp_path / "file").read_text() == "kept"


@pytest.mark.parametrize("name", ["venue_volume.csv", "_README.txt"])
def test_what_is_no_regular_file_is_not_replaced(name: str, run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "venue_volume" / f"week_ending={WEEK}"
    folder.mkdir(parents=True)
    (tmp_path / "target").write_text("kept")
    for make in (Path.mkdir, os.mkfifo, lambda path: path.symlink_to(tmp_path / "target")):
        make(folder / name)
        done = run(*export(tmp_path, "csv"))
        assert (done.returncode, "is not a regular file" in done.stderr) == (2, True)
        assert [path.name for path in folder.iterdir()] == [name]
        (folder / name).rmdir() if (folder / name).is_dir() else (folder / name).unlink()
    assert (tmp_path / "target").read_text() == "kept"


def test_a_directory_whose_name_is_not_utf_8_is_as_good_as_any(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / os.fsdecode(b"caf\xe9")
    done = run(*export(folder))
    assert (done.returncode, done.stderr) == (0, "")
    assert [path.name for path in folder.rglob("*.*")] == ["venue_volume.parquet"]


def test_one_ctrl_c_ends_an_export_that_waits_for_the_server(large: dict[str, str], tmp_path: Path) -> None:
    command = [sys.executable, "-m", "otcpipe", *map(str, export(tmp_path / "out"))]
    with resources.database().transaction() as transaction:
        transaction.connection.execute("lock table otc_internal.volume_record in access exclusive mode")
        process = subprocess.Popen(command, env=os.environ | large, stderr=subprocess.PIPE, text=True)
        try:
            waiting = "select count(*) as number from pg_stat_activity where wait_event_type = 'Lock'"
            deadline = time.monotonic() + SECONDS
            while not transaction.connection.execute(waiting).fetchall()[0]["number"]:
                transaction.connection.execute("select pg_stat_clear_snapshot()")
                assert time.monotonic() < deadline
            process.send_signal(signal.SIGINT)
            _, said = process.communicate(timeout=SECONDS)
        finally:
            process.kill()
            process.wait()
    assert (process.returncode, said) == (130, "otcpipe: Interrupted.\n")
    assert list(tmp_path.iterdir()) == []
    assert open_transactions() == 0


COMMANDS = [("show", "S1"), ("top", "--json"), ("status",), ("export", "--dry-run", "venue_volume")]


@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
def test_a_reader_that_has_read_enough_ends_a_command_without_a_word(arguments: tuple[str, ...], run: Run) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = run(*arguments, stdout=writing)
    os.close(writing)
    assert (done.returncode, done.stderr) == (1, "")


@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
def test_output_that_finds_no_room_is_one_sentence(arguments: tuple[str, ...], run: Run) -> None:
    with Path("/dev/full").open("w") as full:
        done = run(*arguments, stdout=full)
    assert (done.returncode, done.stderr) == (1, "otcpipe: No space left on device.\n")
