"""The account that PostgreSQL runs under: the current one, or, since it refuses root, another for root."""

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
    """A user id (None: the current user), or a user namespace in which root looks like `nobody`."""

    user: int | None = None
    namespace: bool = False

    def prefix(self, death_signal: str = "keep") -> tuple[str, ...]:
        """Return the words before a command. Entering a namespace clears the death signal, so they set it again."""
        if not self.namespace:
            return ()
        become = ("unshare", "--user", f"--map-user={NOBODY}", f"--map-group={NOBODY}")
        return (*become, "setpriv", f"--pdeathsig={death_signal}")

    def run(self, *command: str | Path, text: str = "") -> subprocess.CompletedProcess[str]:
        """Run a command to its end with the text as its input; stdout and stderr are merged."""
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
        """Return whether a command succeeds; False also if the program cannot be executed."""
        try:
            return self.run(*command).returncode == 0
        except OSError:
            return False


def choose(program: Path, directory: Path) -> Account:
    """Return an account that can run `program` in `directory`, and make it the owner of the directory.

    For root this is a user namespace, whose files stay root's, or else the user `nobody`, which other programs may
    share. Raises StackFailed if neither works.
    """
    if os.geteuid() != 0:
        return Account()
    namespace = Account(namespace=True)
    if shutil.which("unshare") and namespace.can_run(program, "--version"):
        _change_owner(directory, 0)
        return namespace
    nobody = Account(user=NOBODY)
    _change_owner(directory, NOBODY)
    if nobody.can_run(program, "--version") and nobody.can_run("test", "-w", directory):
        return nobody
    raise StackFailed(
        f"PostgreSQL does not run as root, and the user nobody cannot access {program} and {directory}:"
        f" run otcpipe as another user, or `chmod o+x` the directories above both,"
        f" or set OTCPIPE_DATABASE_URL to a running server"
    )


def _change_owner(directory: Path, owner: int) -> None:
    """Change the owner of a whole tree, unless it is right: an earlier start may have chosen another account."""
    if directory.stat().st_uid == owner:
        return
    for path in (*directory.rglob("*"), directory):
        os.chown(path, owner, owner, follow_symlinks=False)
