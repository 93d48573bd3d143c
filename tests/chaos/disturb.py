"""Disturbances, one after the other, at moments and on servers that a seed chooses."""

import time
from collections.abc import Callable, Sequence
from random import Random

import psycopg
import redis

from otcpipe import resources
from tests.chaos import operations
from tests.chaos.proxy import Wire
from tests.chaos.world import World
from tests.finra_server.faults import Fault, Kind

SECONDS = 1.5  # of disturbance in each phase
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
Deed = tuple[str, Callable[[World], None]]  # its kind, by which deeds are counted
Plan = Sequence[tuple[float, Deed]]  # moments and deeds, in order of time


def plan(rng: Random) -> Plan:
    """Return the disturbances of one phase."""
    deeds = [rng.choice(DEEDS)(rng) for _ in range(rng.randint(2, 5))]
    return sorted(((rng.uniform(0, SECONDS), deed) for deed in deeds), key=lambda entry: entry[0])


def disturb(world: World, deeds: Plan, log: list[str]) -> None:
    """Execute a plan."""
    started = time.monotonic()
    for moment, (kind, deed) in deeds:
        world.wait(started + moment - time.monotonic())
        log.append(f"{time.monotonic() - started:.2f} s: {kind}")
        world.deeds.append(kind)
        deed(world)
    world.wait(started + SECONDS - time.monotonic())


def kill_worker(rng: Random) -> Deed:
    number = rng.randrange(2)
    return "kill a worker", lambda world: world.kill(world.workers[number])


def pause_worker(rng: Random) -> Deed:
    number, seconds = rng.randrange(2), rng.uniform(0.3, 4)
    return "pause a worker", lambda world: world.pause(world.workers[number], seconds)


def kill_server(rng: Random) -> Deed:
    name = _server(rng)
    return f"kill {name}", lambda world: world.kill(world.servers[name])


def pause_server(rng: Random) -> Deed:
    name, seconds = _server(rng), rng.uniform(0.2, 1.5)
    return f"pause {name}", lambda world: world.pause(world.servers[name], seconds)


def hurt_wires(rng: Random) -> Deed:
    """Return the proxies of one worker or of both."""
    name, numbers = _server(rng), rng.choice(([0], [1], [0, 1]))
    kind, hurt = rng.choice(_hurts(rng.uniform(0.01, 0.05)))

    def deed(world: World) -> None:
        for number in numbers:
            hurt(world.wires[number][name])

    return f"{kind} {name}", deed


def _hurts(delay: float) -> Sequence[tuple[str, Callable[[Wire], None]]]:
    return (
        ("cut the wire to", Wire.cut),
        ("swallow the replies of", lambda wire: setattr(wire, "swallows", True)),
        ("delay the replies of", lambda wire: setattr(wire, "delay", delay)),
    )


def forget_redis(_: Random) -> Deed:
    return "lose Redis", _flush


def end_connections(_: Random) -> Deed:
    return "end all connections of Postgres", _terminate


def fail_finra(rng: Random) -> Deed:
    kind, at, times = rng.choice(FINRA_KINDS), rng.randint(1, 6), rng.randint(1, 3)
    fault = Fault(kind, at=at, times=times, seconds=0.3)
    return f"FINRA: {kind}", lambda world: world.finra.faults.add(fault)


DEEDS: tuple[Callable[[Random], Deed], ...] = (
    kill_worker,
    kill_worker,
    pause_worker,
    kill_server,
    pause_server,
    hurt_wires,
    hurt_wires,
    hurt_wires,
    forget_redis,
    end_connections,
    fail_finra,
    operations.send_again,
    operations.refresh,
    operations.reprocess,
    operations.reprocess,
    operations.strike_persist,
    operations.strike_persist,
    operations.dump,
    operations.restore,
    operations.lose_postgres,
)


def _server(rng: Random) -> str:
    return rng.choice(("postgres", "valkey", "seaweedfs"))


def _flush(world: World) -> None:
    client = redis.Redis.from_url(resources.settings()["REDIS_URL"], socket_timeout=0.5)
    try:
        client.flushall()
    except redis.RedisError:
        return  # it is down already
    finally:
        client.close()


def _terminate(world: World) -> None:
    try:
        with psycopg.connect(resources.settings()["DATABASE_URL"], autocommit=True, connect_timeout=1) as admin:
            admin.execute(
                """
                select pg_terminate_backend(pid)
                from pg_stat_activity
                where usename = current_user and pid <> pg_backend_pid()
                """
            )
    except psycopg.OperationalError:
        return  # it is down already
