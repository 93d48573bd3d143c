"""The checks of `otcpipe doctor`, each of one thing: what was found, how bad it is, what to do."""

import shutil
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from urllib.parse import parse_qs, urlsplit

from otcpipe.broker import actors
from otcpipe.broker.queues import Queue, Queues
from otcpipe.pipeline import definition, oddities, recovery
from otcpipe.settings import Settings
from otcpipe.storage import sql
from otcpipe.storage.postgres import Database
from otcpipe.storage.s3 import ObjectStore

OLDEST_POSTGRES = 15  # `nulls not distinct` came with it
SECONDS = 3.0
SKEW, LARGE_SKEW = timedelta(seconds=2), timedelta(minutes=1)
LITTLE_DISK, NO_DISK = 10 << 30, 1 << 30  # bytes
STALLED = timedelta(minutes=10)  # without a message that is taken or done: all threads may have long work
HOPELESS = max(stage.time_limit for stage in definition.PIPELINE) + timedelta(minutes=5)  # no work is that long
FEW = 3  # sentences of one check
MIGRATE = "Run `otcpipe migrate`."
ENCRYPTED = ("require", "verify-ca", "verify-full")
Verdict = tuple[str, str, str]  # ok, warn or fail; what was found; what to do


@dataclass
class Place:
    """The servers of these settings, each reached for when a check asks, and how far their clocks are off ours."""

    settings: Settings
    skews: dict[str, timedelta] = field(default_factory=dict)

    @cached_property
    def database(self) -> Database:
        return Database(self.settings["DATABASE_URL"], 1, SECONDS)

    @cached_property
    def queues(self) -> Queues:
        return Queues(self.settings["REDIS_URL"])

    @cached_property
    def store(self) -> ObjectStore:
        return ObjectStore(self.settings, retries=0)

    def note_clock(self, server: str, now: datetime) -> None:
        self.skews[server] = now - datetime.now(UTC)


def _settings(place: Place) -> Verdict:
    found = place.settings
    urls = {name: found.values.get(name, "") for name in ("DATABASE_URL", "REDIS_URL", "S3_ENDPOINT")}
    open_to_all = [f"OTCPIPE_{name}" for name, url in urls.items() if _is_open(url)]
    if open_to_all:
        said = f"Credentials cross the network in the clear: {', '.join(open_to_all)}."
        return "warn", said, "Use sslmode=require, rediss:// and https://."
    if bool(found["FINRA_CLIENT_ID"]) != bool(found["FINRA_CLIENT_SECRET"]):
        return "warn", "Of FINRA's client id and secret only one is set.", "Set both or none."
    if found["NOW"]:
        return "warn", f"OTCPIPE_NOW stops the clock at {found['NOW']}.", "Unset it outside of tests."
    return "ok", "All settings are well formed.", ""


def _is_open(url: str) -> bool:
    """Whether a URL leads out of this machine and its private network without encryption."""
    parts = urlsplit(url)
    host = parts.hostname or "localhost"
    is_near = host == "::1" or host.startswith("127.") or not {".", ":"} & set(host)
    is_encrypted = parts.scheme in ("rediss", "https") or parse_qs(parts.query).get("sslmode", [""])[0] in ENCRYPTED
    return not is_near and not is_encrypted


def _postgres(place: Place) -> Verdict:
    with place.database.transaction() as transaction:
        [row] = transaction.rows("server")
    place.note_clock("PostgreSQL", row["now"])
    said = f"PostgreSQL {row['version']} at {place.database.address}."
    if row["major"] < OLDEST_POSTGRES:
        return "fail", said, f"Version {OLDEST_POSTGRES} or later is needed."
    if row["encoding"] != "UTF8":
        return "fail", f"The database is encoded in {row['encoding']}.", "Create it with encoding UTF8."
    return "ok", said, ""


def _migrations(place: Place) -> Verdict:
    with place.database.transaction() as transaction:
        applied = {row["name"] for row in transaction.rows("applied_migrations")}
    known = {name for name, _ in sql.migrations()}
    if known - applied:
        return "fail", f"Not applied: {', '.join(sorted(known - applied))}.", MIGRATE
    if applied - known:
        return "fail", f"The database is newer: {', '.join(sorted(applied - known))}.", "Update otcpipe here."
    return "ok", f"All {len(known)} migrations are applied.", ""


def _redis(place: Place) -> Verdict:
    server = place.queues.server()
    place.note_clock("Redis", server.now)
    said = f"{server.version} at {place.queues.address}."
    if server.policy != "noeviction":
        return "warn", f"{said} When full it drops messages ({server.policy}).", "Set maxmemory-policy noeviction."
    return "ok", said, ""


def _s3(place: Place) -> Verdict:
    store = place.store
    if not store.has_bucket():
        return "fail", f"S3 at {store.address} has no bucket {store.bucket}.", MIGRATE
    key = f"{place.settings['S3_PREFIX']}/doctor/{uuid.uuid4()}"
    store.put_once(key, b"once")
    try:
        place.note_clock("S3", store.now(key))
        if store.put_once(key, b"twice") or store.get(key) != b"once":
            said = f"S3 at {store.address} writes over what is there (it ignores If-None-Match)."
            return "fail", said, "Use a store with conditional writes."
    finally:
        store.discard(key)
    return "ok", f"Bucket {store.bucket} at {store.address} can be written, once a key.", ""


def _clock(place: Place) -> Verdict:
    if not place.skews:
        return "warn", "No server to compare the clock with.", ""
    server, skew = max(place.skews.items(), key=lambda one: abs(one[1]))
    said = f"This machine's clock and that of {server} differ by {abs(skew.total_seconds()):.1f} s."
    verdict = "ok" if abs(skew) < SKEW else "warn" if abs(skew) < LARGE_SKEW else "fail"
    return verdict, said, "" if verdict == "ok" else "Synchronise both by NTP: observations carry this clock."


def _queues(place: Place) -> Verdict:
    wrong = place.queues.wrong()
    if wrong:
        said = " ".join(f"The Redis key {key} {what}." for key, what in wrong.items())
        return "fail", said, "A worker sets it aside within seconds; if none does, start workers."
    queues = place.queues.all()
    deserted = [name for name, queue in queues.items() if not queue.consumers]
    deserted += [f"{name}.DQ" for name, queue in queues.items() if queue.delayed and not queue.delay_consumers]
    waiting = sum(_waiting(queues[name.removesuffix(".DQ")], name) for name in deserted)
    if deserted:
        said = f"No worker consumes {', '.join(deserted)}. Messages that wait there: {waiting:,}."
        return ("fail" if waiting else "warn"), said, "Start workers: `otcpipe up`, or `dramatiq actors`."
    still = {name: timedelta(seconds=queue.still_seconds or 0) for name, queue in queues.items()}
    stalled = {name: span for name, span in still.items() if span > STALLED}
    if stalled:
        counts = ", ".join(f"{name} ({queues[name].waiting + queues[name].in_hand:,} messages)" for name in stalled)
        longest = max(stalled.values())
        said = f"Nothing moves, for up to {longest // timedelta(minutes=1):,} minutes, in {counts}."
        return ("fail" if longest > HOPELESS else "warn"), said, "Read the workers' logs, and restart the workers."
    return "ok", f"Workers consume all {len(queues)} queues.", ""


def _waiting(queue: Queue, name: str) -> int:
    return queue.delayed if name.endswith(".DQ") else queue.waiting


def _runs(place: Place) -> Verdict:
    prefix, now = place.settings["S3_PREFIX"], place.settings.now()
    lost = list(recovery.find(place.database, place.store, prefix, actors.message_ids(), now))
    if lost:
        return "warn", f"Runs that are due with nobody at them: {len(lost):,}.", "Run `otcpipe reconcile`."
    return "ok", "No run is stranded.", ""


def _letters(place: Place) -> Verdict:
    with place.database.transaction() as transaction:
        dead = {row["stage"]: row["letters"] for row in transaction.rows("open_letters")}
    if dead:
        said = f"Dead messages that nobody has seen to: {sum(dead.values()):,}, of {', '.join(dead)}."
        return "warn", said, "Read why with `otcpipe dlq list`, then `otcpipe dlq replay`."
    return "ok", "No dead letter is open.", ""


def _oddities(place: Place) -> Verdict:
    found = oddities.find(place.database, place.settings.now())
    if found:
        said = " ".join(found[:FEW]) + (f" And {len(found) - FEW:,} more." if len(found) > FEW else "")
        return "warn", said, "See `otcpipe status`."
    return "ok", "No impossible week is in the ledger, and no observation's clock was set back.", ""


def _disk(place: Place) -> Verdict:
    home = next(path for path in (place.settings.home, *place.settings.home.parents) if path.exists())
    free = shutil.disk_usage(home).free
    verdict = "ok" if free > LITTLE_DISK else "warn" if free > NO_DISK else "fail"
    return verdict, f"{free / (1 << 30):,.1f} GiB are free at {home}.", "" if verdict == "ok" else "Make room there."


CHECKS: tuple[tuple[str, tuple[str, ...], Callable[[Place], Verdict]], ...] = (
    ("settings", (), _settings),
    ("postgres", (), _postgres),
    ("migrations", ("postgres",), _migrations),
    ("redis", (), _redis),
    ("s3", (), _s3),
    ("clock", (), _clock),
    ("queues", ("redis",), _queues),
    ("runs", ("migrations", "redis", "s3"), _runs),
    ("letters", ("migrations",), _letters),
    ("oddities", ("migrations",), _oddities),
    ("disk", (), _disk),
)
