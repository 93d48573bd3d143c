"""Figures about the work, for Prometheus, read from Redis and the ledger at each scrape.

Dramatiq's own middleware counts retries twice, knows no queue depth, and its processes compete for one port.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from datetime import date
from http.server import HTTPServer

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from otcpipe import weeks
from otcpipe.broker.queues import Queues
from otcpipe.errors import Invalid, OtcpipeError
from otcpipe.monitoring import conditions
from otcpipe.monitoring.context import CheckContext
from otcpipe.pipeline import definition, ledger, planning
from otcpipe.settings import Settings
from otcpipe.storage.postgres import Database, Row, Transaction

Sample = tuple[str, float, dict[str, str]]  # a figure's name, its value, its labels
FIGURES = {
    "up": "Whether the figures could be read from the server.",
    "queue_messages": "Messages of a queue.",
    "queue_consumers": "Machines whose workers consume a queue.",
    "finra_requests_total": "Requests to FINRA, of all workers together.",
    "finra_rate_limit": "Requests to FINRA allowed per second.",
    "finra_wait_seconds": "Seconds until the next request to FINRA may be sent.",
    "runs": "Runs of a stage in the ledger.",
    "oldest_queued_seconds": "Seconds that the oldest queued run of a stage has waited.",
    "dead_letters": "Open dead letters of a stage.",
    "stage_seconds": "Seconds that a stage took, over the runs of the last week.",
    "captures": "Observations of partitions.",
    "rows": "Rows of all captures.",
    "partitions": "Partitions by state.",
    "unreconciled_partitions": "Partitions that differ from FINRA's own totals.",
    "quality_score": "The score, 0 to 100, of the newest week of a tier that was graded.",
    "conditions": "What needs a person, by kind: what `otcpipe alert --list` shows.",
    "weeks_behind": "Expected weeks of a wanted tier that were published since the newest that is done.",
}
QUANTILES = [0.5, 0.95, 1.0]
MAX_CONNECTIONS, TIMEOUT_SECONDS = 2, 2.0


class Figures(Collector):
    """Collects all figures. Those of a server that does not answer are left out, and its `otcpipe_up` is 0."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._queues = Queues(settings["REDIS_URL"])
        self._database = Database(settings["DATABASE_URL"], MAX_CONNECTIONS, TIMEOUT_SECONDS)
        self._context = CheckContext(settings)

    def collect(self) -> Iterator[Metric]:
        """Yield all figures; Prometheus's client calls this at each scrape."""
        families: dict[str, Metric] = {}
        for server, read in (("redis", self._of_redis), ("postgres", self._of_postgres)):
            samples = _unless_down(read)
            for name, value, labels in [*(samples or ()), ("up", float(samples is not None), {"server": server})]:
                family = families.setdefault(name, _family(name, labels))
                family.add_sample(f"otcpipe_{name}", labels, value)
        yield from families.values()

    def _of_redis(self) -> Iterator[Sample]:
        for name, queue in self._queues.all().items():
            for state in ("waiting", "in_hand", "delayed"):
                yield "queue_messages", getattr(queue, state), {"queue": name, "state": state}
            yield "queue_consumers", len(queue.consumers), {"queue": name}
        requests = self._queues.requests()
        yield "finra_requests_total", requests.total, {}
        yield "finra_wait_seconds", requests.wait_seconds, {}
        yield "finra_rate_limit", float(self._settings["FINRA_RATE"]), {}

    def _of_postgres(self) -> Iterator[Sample]:
        with self._database.transaction() as transaction:
            yield from _of_runs(transaction)
            for row in transaction.rows("row_figures"):
                yield "captures", row["captures"], {"tier": row["tier"]}
                for kind in ("records", "totals", "rejects"):
                    yield "rows", row[kind], {"tier": row["tier"], "kind": kind}
            for row in transaction.rows("newest_grades"):
                yield "quality_score", float(row["score"]), {"tier": row["tier"], "grade": row["grade"]}
        for kind, number in conditions.counts(conditions.find(self._context)).items():
            yield "conditions", number, {"kind": kind}
        today = weeks.today(self._settings.now())
        yield from self._of_partitions(
            [row for row in ledger.partitions(self._database) if row["week_ending"] <= today]
        )

    def _of_partitions(self, rows: list[Row]) -> Iterator[Sample]:
        for (tier, state), number in Counter((row["tier"], row["state"]) for row in rows).items():
            yield "partitions", number, {"tier": tier, "state": state}
        for tier in self._settings.tiers:
            of_tier = [row for row in rows if row["tier"] == tier]
            yield "unreconciled_partitions", sum(row["reconciled"] is False for row in of_tier), {"tier": tier}
            newest = max((row["week_ending"] for row in of_tier if row["state"] == "done"), default=date.min)
            expected = planning.expected_partitions(
                self._database, self._settings.now(), self._settings.since, [tier]
            )
            yield "weeks_behind", sum(one.week_ending > newest for one in expected), {"tier": tier}


def serve(settings: Settings) -> HTTPServer:
    """Start a server on OTCPIPE_TELEMETRY_HOST and _PORT, which answers from threads, and return it.

    Raises Invalid if it cannot listen on that address.
    """
    host, port = settings["TELEMETRY_HOST"], int(settings["TELEMETRY_PORT"])
    registry = CollectorRegistry()
    registry.register(Figures(settings))
    try:
        server, _ = start_http_server(port, addr=host, registry=registry)
    except OSError as error:
        raise Invalid(f"Telemetry cannot listen on {host}:{port}: {error.strerror}.") from None
    return server


def _of_runs(transaction: Transaction) -> Iterator[Sample]:
    waiting, dead = (dict.fromkeys((stage.name for stage in definition.PIPELINE), 0.0) for _ in range(2))
    for row in transaction.rows("run_figures"):
        yield "runs", row["runs"], {"stage": row["stage"], "state": row["state"]}
        if row["state"] == "queued":
            waiting[row["stage"]] = row["oldest_seconds"]
    dead |= {row["stage"]: row["letters"] for row in transaction.rows("open_letters")}
    for figure, values in (("oldest_queued_seconds", waiting), ("dead_letters", dead)):
        for stage, value in values.items():
            yield figure, value, {"stage": stage}
    for row in transaction.rows("stage_durations", quantiles=QUANTILES):
        yield "stage_seconds", row["seconds"], {"stage": row["stage"], "quantile": str(row["quantile"])}


def _unless_down(read: Callable[[], Iterator[Sample]]) -> list[Sample] | None:
    try:
        return list(read())
    except OtcpipeError:
        return None


def _family(name: str, labels: dict[str, str]) -> Metric:
    kind = CounterMetricFamily if name.endswith("_total") else GaugeMetricFamily
    return kind(f"otcpipe_{name}", FIGURES[name], labels=list(labels))
