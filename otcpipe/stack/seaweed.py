"""SeaweedFS, the S3 server: master, volume, filer and gateway in one process."""

import re
import shutil
from importlib import import_module
from pathlib import Path
from signal import SIGKILL
from string import Template

from otcpipe.errors import ServerMissing
from otcpipe.stack import binaries, ports, private
from otcpipe.stack.program import PORTS, Server, environment, free_ports, is_free

PARTS = ("master", "volume", "filer", "s3")
# Its maintenance worker expects the admin service's gRPC at this offset, whatever port that is given.
ADMIN_OFFSET = 10_000
SECURITY = Template(Path(__file__).with_name("security.toml").read_text(encoding="utf-8"))
FLAGS = (
    "-ip=127.0.0.1",
    "-ip.bind=127.0.0.1",  # else 0.0.0.0
    "-s3.port.iceberg=0",
    "-s3.port.lance=0",
    "-s3.localSocket=s3.sock",
    "-filer.localSocket=filer.sock",
    "-s3.autoCreateBucket=false",
    "-s3.allowDeleteBucketNotEmpty=false",
    "-admin.ui=false",
    "-webdav=false",
    "-master.telemetry=false",
    "-disableHttp=true",
    "-volume.preStopSeconds=0",
)


def prepare(home: Path, bucket: str = "otcpipe") -> Server:
    """Create the credentials, without which it accepts every client; the server creates the bucket at its start."""
    program = binaries.seaweed()
    directory = private.make_private(home / "seaweedfs")
    volumes = private.make_private(directory / "volumes")
    _remove_sockets(volumes / "mini.options")
    for raft in volumes.glob("m[0-9]*"):  # elections on the ports of earlier starts
        shutil.rmtree(raft)
    access_key = private.secret(directory / "access_key")
    secret_key = private.secret(directory / "secret_key")
    _write_security(directory)
    inner = _ports(ports.keep(home, "s3"))
    return Server(
        name="seaweedfs",
        command=(
            str(program),
            "-config_dir=..",
            "-logtostderr=true",
            "mini",
            "-dir=.",
            f"-bucket={bucket}",
            *FLAGS,
            *_flags(inner),
        ),
        log=home / "logs" / "seaweedfs.log",
        environment=environment(
            volumes,
            AWS_ACCESS_KEY_ID=access_key,
            AWS_SECRET_ACCESS_KEY=secret_key,
            GOMEMLIMIT="768MiB",  # 256 MiB would take three times the CPU, for garbage collection, and twice the time
        ),
        directory=volumes,
        death_signal=SIGKILL,
        # At its end it may wait 30 s for unused connections of its own; everything is stored by then.
        grace=3.0,
        provides={
            "OTCPIPE_S3_ENDPOINT": f"http://127.0.0.1:{inner['s3.port']}",
            "OTCPIPE_S3_BUCKET": bucket,
            "OTCPIPE_S3_ACCESS_KEY": access_key,
            "OTCPIPE_S3_SECRET_KEY": secret_key,
            "OTCPIPE_S3_REGION": "us-east-1",
        },
        leftovers=tuple(_socket(part, inner[f"{part}.port.grpc"]) for part in (*PARTS, "admin")),
        sealed=tuple(port for name, port in inner.items() if name.endswith(".grpc")),
    )


def _write_security(directory: Path) -> None:
    """Write the configuration that closes all ports except that of S3, with a new certificate.

    Its paths are relative to the server's working directory, so they need no quoting.
    """
    try:
        certificate = import_module("otcpipe.stack.certificate")  # only otcpipe[local] installs cryptography
    except ModuleNotFoundError:
        raise ServerMissing("cryptography is not installed: run `pip install 'otcpipe[local]'`") from None
    certificate.write(directory / "certificate.pem", directory / "certificate_key.pem")
    security = SECURITY.substitute(
        certificate="../certificate.pem",
        key="../certificate_key.pem",
        volume_token=private.secret(directory / "volume_key"),
        filer_token=private.secret(directory / "filer_key"),
    )
    private.write(directory / "security.toml", security)


def _socket(part: str, port: int | str) -> Path:
    """Return the path of the additional socket of a part, which no flag can change."""
    return Path(f"/tmp/seaweedfs-{part}-grpc-{port}.sock")


def _remove_sockets(options: Path) -> None:
    """Remove the sockets of a run that was killed with its supervisor; its options file has the ports."""
    text = options.read_text(encoding="utf-8") if options.exists() else ""
    for part, port in re.findall(r"(\w+)\.port\.grpc=(\d+)", text):
        if is_free(int(port)):
            _socket(part, port).unlink(missing_ok=True)


def _ports(s3: int) -> dict[str, int]:
    """Return a port for each part; only that of S3, which clients know, stays over restarts."""
    names = [f"{part}.{kind}" for part in PARTS for kind in ("port", "port.grpc")]
    free = [port for port in free_ports(len(names) + 1) if port != s3]
    found = dict(zip(names, free, strict=False)) | {"s3.port": s3}
    admin = next(
        port
        for port in free_ports(200)
        if port + ADMIN_OFFSET in PORTS
        and is_free(port + ADMIN_OFFSET)
        and not {port, port + ADMIN_OFFSET} & set(found.values())
    )
    return {**found, "admin.port": admin, "admin.port.grpc": admin + ADMIN_OFFSET}


def _flags(inner: dict[str, int]) -> list[str]:
    return [f"-{name}={port}" for name, port in inner.items()]
