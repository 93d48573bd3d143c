"""S3: objects are written once, and checked against their SHA-256 on every read."""

import io
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

import urllib3
from minio import Minio
from minio.error import MinioException, S3Error

from otcpipe.errors import Damaged, Invalid, Permanent, Unreachable
from otcpipe.settings import Settings
from otcpipe.storage.keys import sha256

DIGEST = "x-amz-meta-sha256"  # of the stored bytes
CONNECT_SECONDS, READ_SECONDS = 5, 60
WRONG_CREDENTIALS = ("InvalidAccessKeyId", "SignatureDoesNotMatch")
PERMANENT = ("EntityTooLarge", "InvalidArgument", "InvalidRequest", "KeyTooLongError", "MethodNotAllowed")


class ObjectStore:
    """One bucket. Every method raises Unreachable if the server does not answer or refuses the credentials."""

    def __init__(self, settings: Settings, retries: int = 3) -> None:
        endpoint = urlsplit(settings["S3_ENDPOINT"])
        if "@" in endpoint.netloc or endpoint.path.strip("/") or endpoint.query:
            raise Invalid("OTCPIPE_S3_ENDPOINT must be a scheme, a host and a port, without user, path or options.")
        self.bucket = settings["S3_BUCKET"]
        self.address = endpoint.netloc
        http = urllib3.PoolManager(
            maxsize=16,
            timeout=urllib3.Timeout(connect=CONNECT_SECONDS, read=READ_SECONDS),
            retries=urllib3.Retry(total=retries, backoff_factor=0.2, status_forcelist=(500, 502, 503, 504)),
        )
        self._client = _client(settings.__getitem__, http)

    def has_bucket(self) -> bool:
        """Return whether the bucket exists."""
        with _translate_errors(self.address):
            return bool(self._client.bucket_exists(bucket_name=self.bucket))

    def create_bucket(self) -> None:
        """Create the bucket unless it exists."""
        if not self.has_bucket():
            with _translate_errors(self.address):
                self._client.make_bucket(bucket_name=self.bucket)

    def now(self, key: str) -> datetime:
        """Return the server's clock to the second, from its answer about an existing object."""
        with (
            _translate_errors(self.address),
            self._client.get_object(bucket_name=self.bucket, object_name=key) as response,
        ):
            return parsedate_to_datetime(response.headers["Date"])

    def get(self, key: str) -> bytes:
        """Return the bytes; raises Damaged if the object is missing or its bytes changed."""
        return self._tagged(key)[0]

    def _tagged(self, key: str) -> tuple[bytes, str]:
        """Return the bytes, and by which tag the server knows this state of the object."""
        with _translate_errors(self.address):
            try:
                response = self._client.get_object(bucket_name=self.bucket, object_name=key)
            except S3Error as error:
                if error.code == "NoSuchKey":
                    raise Damaged(key, "does not exist") from None
                raise
            with response:
                content: bytes = response.read()
        if sha256(content) != response.headers.get(DIGEST):
            raise Damaged(key, "does not match its SHA-256: the stored bytes changed")
        return content, response.headers["ETag"]

    def put_once(self, key: str, content: bytes) -> bool:
        """Store the bytes unless the key exists; return whether they were stored."""
        return self._put_if(key, content, "If-None-Match", "*")

    def swap(self, key: str, content: bytes, old: bytes | None) -> bool:
        """Store the bytes if the object still holds `old`, None for no object; return whether it holds them now.

        The server checks it while it stores, so that a process that was paused meanwhile replaces nothing newer.
        """
        if old is None:
            return self.put_once(key, content) or self._holds(key, content)
        try:
            current, tag = self._tagged(key)
        except Damaged:
            return False
        return (current == old and self._put_if(key, content, "If-Match", tag)) or self._holds(key, content)

    def _holds(self, key: str, content: bytes) -> bool:
        """Return whether the object has these bytes: they may be stored although the answer to it was lost."""
        with suppress(Damaged):
            return self.get(key) == content
        return False

    def _put_if(self, key: str, content: bytes, condition: str, value: str) -> bool:
        """Store the bytes under a condition that the server checks; return whether it held.

        The client's public `put_object` ignores the condition and overwrites, hence the private method.
        """
        headers: dict[str, str | list[str] | tuple[str]] = {condition: value, DIGEST: sha256(content)}
        with _translate_errors(self.address):
            try:
                self._client._put_object(self.bucket, key, content, headers=headers)  # noqa: SLF001
            except S3Error as error:
                if error.code in ("PreconditionFailed", "ConditionalRequestConflict"):
                    return False
                raise
        return True

    def replace(self, key: str, content: bytes) -> None:
        """Store the bytes in place of an older object; what was captured is never stored so."""
        metadata: dict[str, str | list[str] | tuple[str]] = {DIGEST: sha256(content)}
        with _translate_errors(self.address):
            self._client.put_object(
                bucket_name=self.bucket,
                object_name=key,
                data=io.BytesIO(content),
                length=len(content),
                metadata=metadata,
            )

    def make_once(self, key: str, make: Callable[[], bytes]) -> bool:
        """Store the result of `make` unless the key exists, in which case `make` is not called."""
        return not self.exists(key) and self.put_once(key, make())

    def exists(self, key: str) -> bool:
        """Return whether the object exists, without checking its bytes."""
        with _translate_errors(self.address):
            try:
                self._client.stat_object(bucket_name=self.bucket, object_name=key)
            except S3Error as error:
                if error.code in ("NoSuchKey", "NoSuchObject"):
                    return False
                raise
        return True

    def discard(self, key: str) -> None:
        """Remove a derived object, so that its stage creates it again; a missing one is no error."""
        with _translate_errors(self.address):
            self._client.remove_object(bucket_name=self.bucket, object_name=key)

    def keys(self, prefix: str) -> Iterator[str]:
        """Yield all keys that begin with the prefix, in the order of the server (S3: by their UTF-8 bytes)."""
        for name, _ in self.sizes(prefix):
            yield name

    def sizes(self, prefix: str) -> Iterator[tuple[str, int]]:
        """Yield all keys that begin with the prefix, in the same order, each with its size in bytes."""
        with _translate_errors(self.address):
            for entry in self._client.list_objects(bucket_name=self.bucket, prefix=prefix, recursive=True):
                yield entry.object_name, entry.size


def _client(setting: Callable[[str], str], http: urllib3.PoolManager) -> Minio:
    endpoint = urlsplit(setting("S3_ENDPOINT"))
    return Minio(
        endpoint=endpoint.netloc,
        access_key=setting("S3_ACCESS_KEY"),
        secret_key=setting("S3_SECRET_KEY"),
        region=setting("S3_REGION"),
        secure=endpoint.scheme == "https",
        http_client=http,
    )


@contextmanager
def _translate_errors(address: str) -> Iterator[None]:
    try:
        yield
    except urllib3.exceptions.HTTPError as error:
        reason = getattr(error, "reason", None)
        # the server answered, but with an error in every attempt
        is_answered = isinstance(reason, urllib3.exceptions.ResponseError)
        how = f"fails: {reason}" if is_answered else "does not answer"
        raise Unreachable(f"S3 at {address} {how}.") from error
    except MinioException as error:
        code = getattr(error, "code", str(error))
        if code in WRONG_CREDENTIALS:
            raise Unreachable(f"S3 at {address} refuses the access key or its secret: {code}.") from error
        if code in PERMANENT:
            raise Permanent(f"S3 at {address} refuses this request permanently: {code}.") from error
        raise Unreachable(f"S3 at {address} refuses: {code}.") from error


def is_up(environment: Mapping[str, str]) -> bool:
    """Return whether the local server of OTCPIPE_S3_ENDPOINT has its bucket, the last thing it creates at a start."""
    client = _client(lambda name: environment[f"OTCPIPE_{name}"], urllib3.PoolManager(timeout=2, retries=False))
    try:
        return bool(client.bucket_exists(bucket_name=environment["OTCPIPE_S3_BUCKET"]))
    except (MinioException, urllib3.exceptions.HTTPError):
        return False
