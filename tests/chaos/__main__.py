"""`python -m tests.chaos FIRST LAST`: run seeds in several processes, and print one line on the results."""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from tests.chaos.run import FAILURE, STORY

TEST = "tests/chaos/test_chaos.py::test_the_tables_are_those_of_an_undisturbed_run"


def main() -> int:
    parser = argparse.ArgumentParser(prog="scripts/chaos", description="Run seeds of the chaos test.")
    parser.add_argument("first", type=int, nargs="?", default=0, help="the first seed (0)")
    parser.add_argument("last", type=int, nargs="?", default=199, help="the last seed (199)")
    parser.add_argument("--processes", type=int, default=2, help="so many at once, each with servers of its own (2)")
    parser.add_argument("--folder", type=Path, help="where failed seeds leave logs and tables; a new temporary one")
    chosen = parser.parse_args()
    signal.signal(signal.SIGINT, signal.default_int_handler)  # background jobs of a shell inherit it as ignored
    folder = chosen.folder or Path(tempfile.mkdtemp(prefix="chaos-"))
    folder.mkdir(parents=True, exist_ok=True)
    seeds = range(chosen.first, chosen.last + 1)
    shares = [seeds[number :: chosen.processes] for number in range(min(chosen.processes, len(seeds)))]
    running = [_start(share, folder, number) for number, share in enumerate(shares)]
    codes = [process.wait() for process in running]
    print(summary(seeds, folder))
    return int(any(codes))


def _start(seeds: Sequence[int], folder: Path, number: int) -> "subprocess.Popen[bytes]":
    """Start a pytest for a share of the seeds; it does not stop at failures."""
    command = (sys.executable, "-m", "pytest", "-m", "", "--tb=short", "-p", "no:cacheprovider")
    with (folder / f"pytest-{number}.log").open("wb") as log:
        return subprocess.Popen(
            [*command, f"--basetemp={folder / f'pytest-{number}'}", *(f"{TEST}[{seed}]" for seed in seeds)],
            env=os.environ | {"CHAOS_FOLDER": str(folder)},
            stdout=log,
            stderr=log,
        )


def summary(seeds: Sequence[int], folder: Path) -> str:
    """Return how many seeds passed, which failed, what was done to them, and how long one took."""
    stories = {seed: _story(folder / f"seed-{seed}") for seed in seeds}
    passed = [seed for seed, story in stories.items() if story and not (folder / f"seed-{seed}" / FAILURE).exists()]
    failed = [f"{seed} ({folder / f'seed-{seed}'})" for seed in seeds if seed not in passed]
    deeds = Counter(deed for story in stories.values() if story for deed in story["deeds"])
    seconds = sorted(story["seconds"] for story in stories.values() if story)
    done = ", ".join(f"{deed} {count:,}" for deed, count in deeds.most_common())
    took = f"median {seconds[len(seconds) // 2]:.0f} s, longest {seconds[-1]:.0f} s" if seconds else "none ended"
    return f"{len(seeds)} seeds: {len(passed)} passed{_listed(failed)}; {took}; deeds done: {done}"


def _listed(failed: Sequence[str]) -> str:
    return f", {len(failed)} failed: {', '.join(failed)}" if failed else ""


def _story(folder: Path) -> dict[str, list[str]] | None:
    """Return what a seed's run wrote at its end."""
    path = folder / STORY
    return json.loads(path.read_text()) if path.exists() else None


if __name__ == "__main__":
    sys.exit(main())
