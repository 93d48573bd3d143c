"""Show output that is longer than the screen in a pager."""

import io
import os
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout

PAGER = "less"
LESS = "FRX"  # end at once if it fits, keep colours, leave the text on the screen


class _Screen(io.StringIO):
    """Gathers what would be printed to a terminal, with its colours and its width."""

    def isatty(self) -> bool:
        return True


@contextmanager
def paged() -> Iterator[None]:
    """Gather what the block prints to a terminal, then show it: with a pager if it is longer than the screen."""
    if not sys.stdout.isatty():
        yield
        return
    screen = _Screen()
    try:
        with redirect_stdout(screen):
            yield
    finally:
        _show(screen.getvalue())


def _show(text: str) -> None:
    words = shlex.split(os.environ.get("PAGER", PAGER))
    is_long = text.count("\n") >= shutil.get_terminal_size().lines
    if not (is_long and words and shutil.which(words[0])):
        sys.stdout.write(text)
        return
    sys.stdout.flush()
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the pager's
    try:
        environment = {"LESS": LESS} | os.environ
        subprocess.run(words, input=text.encode(errors="replace"), env=environment, check=False)  # noqa: S603 - the user's own
    finally:
        signal.signal(signal.SIGINT, before)
