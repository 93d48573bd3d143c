"""Moments inside persist, reached by holding locks that it needs rather than by chance."""

from collections.abc import Callable
from enum import StrEnum

import psycopg

from otcpipe import resources
from otcpipe.records import Partition
from otcpipe.stack.child import Child
from otcpipe.storage import sql
from tests.chaos.world import LEASE_SECONDS, World

REACHED_SECONDS = 4
PAUSE_SECONDS = LEASE_SECONDS + 1.5
WAITING = (
    "select client_port, pid from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
)
IN_PERSIST = f"{WAITING} and wait_event = 'advisory' and query like '%otc.partition%'"
AT_THE_LEDGER = f"{WAITING} and wait_event in ('transactionid', 'tuple') and query like '%output_generation%'"


class Point(StrEnum):
    IN_PERSIST = "in persist"  # its transaction has begun
    BEFORE_NOTE = "between persist's commit and the ledger's note"


class Fate(StrEnum):
    KILL = "kill the worker"
    PAUSE = "pause the worker for longer than its lease"
    CUT = "end the worker's connection"


def strike(world: World, partition: Partition, point: Point, fate: Fate, ask: Callable[[], None]) -> bool:
    """Disturb the worker that persists the partition, at exactly that point; return whether one got that far.

    The gate is shut before persist is asked for.
    """
    url = resources.settings()["DATABASE_URL"]
    try:
        with psycopg.connect(url, connect_timeout=2) as gate, psycopg.connect(url, connect_timeout=2) as ledger:
            gate.execute("set lock_timeout = '3s'")
            lock = sql.statements()["lock_partition"].encode()
            gate.execute(lock, {"week_ending": partition.week_ending, "tier": partition.tier})
            ask()
            found = _waiting(world, url, IN_PERSIST)
            if found and point is Point.BEFORE_NOTE:
                ledger.execute(
                    "select from otc.stage_run where stage = 'persist' and week_ending = %s and tier = %s for update",
                    [partition.week_ending, partition.tier],
                )
                gate.rollback()
                found = _waiting(world, url, AT_THE_LEDGER)
            if not found:
                return False
            _meet(world, *found, fate, url)
            if fate is Fate.PAUSE:
                gate.rollback()
                ledger.rollback()
                world.wait(PAUSE_SECONDS)
            return True
    except psycopg.Error:
        return False  # another disturbance stopped the server meanwhile


def _waiting(world: World, url: str, query: str) -> tuple[int, int] | None:
    """Return port and process of the waiting session, as soon as one waits."""
    found: list[tuple[int, int]] = []
    with psycopg.connect(url, autocommit=True, connect_timeout=2) as look:

        def is_there() -> bool:
            found.extend(look.execute(query.encode()).fetchall())
            return bool(found)

        world.wait(REACHED_SECONDS, is_there)
    return found[0] if found else None


def _meet(world: World, port: int, pid: int, fate: Fate, url: str) -> None:
    worker = world.worker_behind(port)
    if fate is Fate.CUT:
        with psycopg.connect(url, autocommit=True, connect_timeout=2) as admin:
            admin.execute("select pg_terminate_backend(%s)", [pid])
    elif worker:
        act: dict[Fate, Callable[[Child], None]] = {
            Fate.KILL: world.kill,
            Fate.PAUSE: lambda child: world.pause(child, PAUSE_SECONDS),
        }
        act[fate](worker)
