"""Checks of settings, servers and this machine."""

import shutil
import uuid
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

from otcpipe.monitoring.context import CheckContext, Verdict
from otcpipe.storage import sql
from otcpipe.storage.migrations import newer

OLDEST_POSTGRES = 15  # the first with `nulls not distinct`
SKEW, LARGE_SKEW = timedelta(seconds=2), timedelta(minutes=1)
LITTLE_DISK, NO_DISK = 10 << 30, 1 << 30  # bytes
MIGRATE = "Run `otcpipe migrate`."
ENCRYPTED = ("require", "verify-ca", "verify-full")


def settings(context: CheckContext) -> Verdict:
    """Warn of unencrypted URLs, incomplete credentials and a fixed clock."""
    found = context.settings
    urls = {name: found.values.get(name, "") for name in ("DATABASE_URL", "REDIS_URL", "S3_ENDPOINT")}
    exposed = [f"OTCPIPE_{name}" for name, url in urls.items() if _is_exposed(url)]
    if exposed:
        finding = f"Credentials cross the network unencrypted: {', '.join(exposed)}."
        return "warn", finding, "Use sslmode=require, rediss:// and https://."
    if bool(found["FINRA_CLIENT_ID"]) != bool(found["FINRA_CLIENT_SECRET"]):
        return "warn", "Of FINRA's client id and secret only one is set.", "Set both or none."
    if found["NOW"]:
        return "warn", f"OTCPIPE_NOW stops the clock at {found['NOW']}.", "Unset it outside of tests."
    if found.overridden:
        names = " ".join(found.overridden)
        finding = f"The environment overrides values of the stack that runs in {found.home}: {names}."
        return "warn", finding, f"If that is not meant: `unset {names}`."
    return "ok", f"All settings are well formed; the home is {found.home}.", ""


def _is_exposed(url: str) -> bool:
    """Return whether a URL leaves this machine and its private network without encryption."""
    parts = urlsplit(url)
    host = parts.hostname or "localhost"
    is_near = host == "::1" or host.startswith("127.") or not {".", ":"} & set(host)
    is_encrypted = parts.scheme in ("rediss", "https") or parse_qs(parts.query).get("sslmode", [""])[0] in ENCRYPTED
    return not is_near and not is_encrypted


def postgres(context: CheckContext) -> Verdict:
    """Check version and encoding of PostgreSQL."""
    with context.database.transaction() as transaction:
        [row] = transaction.rows("server")
    context.note_clock("PostgreSQL", row["now"])
    finding = f"PostgreSQL {row['version']} at {context.database.address}."
    if row["major"] < OLDEST_POSTGRES:
        return "fail", finding, f"Version {OLDEST_POSTGRES} or later is needed."
    if row["encoding"] != "UTF8":
        return "fail", f"The database is encoded in {row['encoding']}.", "Create it with encoding UTF8."
    return "ok", finding, ""


def migrations(context: CheckContext) -> Verdict:
    """Check that exactly the migrations of this release are applied."""
    with context.database.transaction() as transaction:
        applied = {row["name"] for row in transaction.rows("applied_migrations")}
    known = {name for name, _ in sql.migrations()}
    if known - applied:
        return "fail", f"Not applied: {', '.join(sorted(known - applied))}.", MIGRATE
    unknown = newer(applied)
    if unknown:
        return "fail", f"The database is newer: {', '.join(unknown)}.", "Update otcpipe here."
    return "ok", "The schema is the newest.", ""


def redis(context: CheckContext) -> Verdict:
    """Check that Redis answers and evicts nothing."""
    server = context.queues.server()
    context.note_clock("Redis", server.now)
    finding = f"{server.version} at {context.queues.address}."
    if server.policy != "noeviction":
        return "warn", f"{finding} When full it drops messages ({server.policy}).", "Set maxmemory-policy noeviction."
    return "ok", finding, ""


def s3(context: CheckContext) -> Verdict:
    """Check that the bucket exists and that an object is never overwritten, by writing one twice and deleting it."""
    store = context.store
    if not store.has_bucket():
        return "fail", f"S3 at {store.address} has no bucket {store.bucket}.", MIGRATE
    key = f"{context.settings['S3_PREFIX']}/doctor/{uuid.uuid4()}"
    store.put_once(key, b"once")
    try:
        context.note_clock("S3", store.now(key))
        if store.put_once(key, b"twice") or store.get(key) != b"once":
            finding = f"S3 at {store.address} overwrites existing objects (it ignores If-None-Match)."
            return "fail", finding, "Use a store with conditional writes."
    finally:
        store.discard(key)
    return "ok", f"Bucket {store.bucket} at {store.address} is writable, each key once.", ""


def clock(context: CheckContext) -> Verdict:
    """Compare this machine's clock with those that earlier checks recorded."""
    if not context.skews:
        return "warn", "No server to compare the clock with.", ""
    server, skew = max(context.skews.items(), key=lambda one: abs(one[1]))
    finding = f"This machine's clock and that of {server} differ by {abs(skew.total_seconds()):.1f} s."
    verdict = "ok" if abs(skew) < SKEW else "warn" if abs(skew) < LARGE_SKEW else "fail"
    return verdict, finding, "" if verdict == "ok" else "Synchronise both by NTP: observations carry this clock."


def disk(context: CheckContext) -> Verdict:
    """Check the free space at OTCPIPE_HOME, or at its nearest existing parent."""
    home = next(path for path in (context.settings.home, *context.settings.home.parents) if path.exists())
    free = shutil.disk_usage(home).free
    verdict = "ok" if free > LITTLE_DISK else "warn" if free > NO_DISK else "fail"
    return verdict, f"{free / (1 << 30):,.1f} GiB are free at {home}.", "" if verdict == "ok" else "Free some space."
