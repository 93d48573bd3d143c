"""The account PostgreSQL runs under: our own, or, since it refuses root, one that root becomes."""

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from otcpipe.errors import StackFailed
from otcpipe.stack.program import environment

NOBODY = 65534


@dataclass(frozen=True)
class Account:
    """A user id (None: our own), or words before a command that make it look like one."""

    user: int | None = None
    namespace: bool = False

    def prefix(self, death_signal: str = "keep") -> tuple[str, ...]:
        """What to put before a command. Entering a namespace forgets the death signal: it is set again."""
        if not self.namespace:
            return ()
        become = ("unshare", "--user", f"--map-user={NOBODY}", f"--map-group={NOBODY}")
        return (*become, "setpriv", f"--pdeathsig={death_signal}")

    def run(self, *command: str | Path, text: str = "") -> subprocess.CompletedProcess[str]:
        """Run a command to its end, with the text as its input; its output and errors are one."""
        return subprocess.run(
            [*self.prefix(), *map(str, command)],
            input=text,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            umask=0o077,
            env=environment(Path("/")),
            user=self.user,
            group=self.user,
            extra_groups=None if self.user is None else (),
        )

    def can_run(self, *command: str | Path) -> bool:
        """Whether a command succeeds; a program out of reach does not."""
        try:
            return self.run(*command).returncode == 0
        except OSError:
            return False


def choose(program: Path, directory: Path) -> Account:
    """The account that can run `program` in `directory`, which is made its own.

    As root: a user namespace, whose files stay root's, else the user nobody, whom other programs may run as too.
    """
    if os.geteuid() != 0:
        return Account()
    namespace = Account(namespace=True)
    if shutil.which("unshare") and namespace.can_run(program, "--version"):
        _give(directory, 0)
        return namespace
    nobody = Account(user=NOBODY)
    _give(directory, NOBODY)
    if nobody.can_run(program, "--version") and nobody.can_run("test", "-w", directory):
        return nobody
    raise StackFailed(
        f"PostgreSQL does not run as root, and the user nobody cannot reach {program} and {directory}:"
        f" run otcpipe as another user, or `chmod o+x` the directories above both,"
        f" or set OTCPIPE_DATABASE_URL to a server that runs"
    )


def _give(directory: Path, owner: int) -> None:
    """Change the owner of a tree, down to the bottom: an earlier start may have chosen otherwise."""
    if directory.stat().st_uid == owner:
        return
    for path in (*directory.rglob("*"), directory):
        os.chown(path, owner, owner, follow_symlinks=False)
