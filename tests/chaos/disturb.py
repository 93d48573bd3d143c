"""What goes wrong: one thing after the other, at moments and on servers that a seed chooses."""

import os
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random

import psycopg
import redis

from otcpipe.stack.child import Child
from tests.chaos.proxy import Wire
from tests.finra_server import FinraServer
from tests.finra_server.faults import Fault, Kind

SECONDS = 2.5  # of disturbance in each phase
FINRA_KINDS = (
    Kind.REFUSE,
    Kind.DROP,
    Kind.RESET,
    Kind.CUT,
    Kind.HANG,
    Kind.STATUS,
    Kind.HTML,
    Kind.EMPTY,
    Kind.SHORT_PAGE,
)


@dataclass
class World:
    """All that can be hurt."""

    servers: Mapping[str, Child]
    workers: Sequence[Child]
    wires: Mapping[str, Wire]
    finra: FinraServer
    environment: Mapping[str, str]
    send_again: Callable[[], None]
    paused: list[tuple[float, Child]] = field(default_factory=list)

    def keep_alive(self) -> None:
        """What a supervisor does; these deaths are ours and count for nothing."""
        for child in (*self.servers.values(), *self.workers):
            child._deaths.clear()
            child.revive()

    def heal(self) -> None:
        """Nothing more goes wrong from now on."""
        for _, child in self.paused:
            child.send(signal.SIGCONT)
        self.paused.clear()
        for wire in self.wires.values():
            wire.heal()
        self.finra.faults.clear()


def plan(rng: Random) -> list[tuple[float, str, Callable[[World], None]]]:
    """Moments, names and deeds, in order of time."""
    deeds = [_deed(rng) for _ in range(rng.randint(3, 5))]
    return sorted(((rng.uniform(0, SECONDS), name, deed) for name, deed in deeds), key=lambda entry: entry[0])


def disturb(world: World, rng: Random) -> list[str]:
    """Carry a plan out; what was done and when."""
    waiting, started, done = plan(rng), time.monotonic(), []
    while time.monotonic() - started < SECONDS:
        now = time.monotonic() - started
        while waiting and waiting[0][0] <= now:
            _, name, deed = waiting.pop(0)
            done.append(f"{now:.2f} s: {name}")
            deed(world)
        for until, child in [entry for entry in world.paused if entry[0] <= time.monotonic()]:
            child.send(signal.SIGCONT)
            world.paused.remove((until, child))
        world.keep_alive()
        time.sleep(0.02)
    return done


def _deed(rng: Random) -> tuple[str, Callable[[World], None]]:
    server = rng.choice(("postgres", "valkey", "seaweedfs"))
    number, seconds = rng.randrange(2), rng.uniform(0.2, 1.5)
    kind, at, times = rng.choice(FINRA_KINDS), rng.randint(1, 6), rng.randint(1, 3)
    deeds: list[tuple[str, Callable[[World], None]]] = [
        (f"kill worker {number}", lambda world: _kill(world.workers[number])),
        (f"kill worker {number}", lambda world: _kill(world.workers[number])),
        (
            f"pause worker {number} for {2 * seconds:.1f} s",
            lambda world: _pause(world, world.workers[number], 2 * seconds),
        ),
        (f"kill {server}", lambda world: _kill(world.servers[server])),
        (f"pause {server} for {seconds:.1f} s", lambda world: _pause(world, world.servers[server], seconds)),
        (f"cut {server}'s wire", lambda world: world.wires[server].cut()),
        (f"swallow {server}'s replies", lambda world: setattr(world.wires[server], "swallows", True)),
        (f"let {server}'s replies pass, slowly", lambda world: _slow(world.wires[server], seconds / 30)),
        ("forget all that Valkey has", _flush),
        ("end all connections of Postgres", _terminate),
        ("send everything again", lambda world: world.send_again()),
        (
            f"FINRA: {kind} {times} times from request {at} on",
            lambda world: world.finra.faults.add(Fault(kind, at=at, times=times, seconds=0.3)),
        ),
    ]
    return rng.choice(deeds)


def _kill(child: Child) -> None:
    if child.returncode is None:
        os.killpg(child.pid, signal.SIGKILL)


def _pause(world: World, child: Child, seconds: float) -> None:
    child.send(signal.SIGSTOP)
    world.paused.append((time.monotonic() + seconds, child))


def _slow(wire: Wire, delay: float) -> None:
    wire.swallows, wire.delay = False, delay


def _flush(world: World) -> None:
    client = redis.Redis.from_url(world.environment["OTCPIPE_REDIS_URL"], socket_timeout=0.5)
    try:
        client.flushall()
    except redis.RedisError:
        return  # it is down already
    finally:
        client.close()


def _terminate(world: World) -> None:
    try:
        with psycopg.connect(world.environment["OTCPIPE_DATABASE_URL"], autocommit=True, connect_timeout=1) as admin:
            admin.execute(
                """
                select pg_terminate_backend(pid)
                from pg_stat_activity
                where usename = current_user and pid <> pg_backend_pid()
                """
            )
    except psycopg.OperationalError:
        return  # it is down already
