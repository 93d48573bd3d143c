"""Grafana's dashboard and Prometheus's alerts: each query runs, and each figure is served with its labels."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import promql_parser
import psycopg
import pytest
from prometheus_client import CollectorRegistry
from ruamel.yaml import YAML

from otcpipe import resources
from otcpipe.monitoring.telemetry import FIGURES, Figures
from otcpipe.records import Partition
from otcpipe.storage import reader
from tests.support.pipeline import NOON, WEEK, api_text, drive, observe

FOLDER = Path(__file__).parents[2] / "scripts" / "monitoring"
DASHBOARD = json.loads((FOLDER / "grafana.json").read_text())
ALERTS = YAML(typ="safe").load((FOLDER / "alerts.yml").read_text())["groups"][0]["rules"]
QUERIES = {
    panel["title"]: one["rawSql"] for panel in DASHBOARD["panels"] for one in panel["targets"] if "rawSql" in one
}
FORMULAS = [one["expr"] for panel in DASHBOARD["panels"] for one in panel["targets"] if "expr" in one] + [
    rule["expr"] for rule in ALERTS
]
FULL = ("Shares by week", "ATS share of volume", "Leading ATSs", "Newest partitions", "Records by capture")
Sql = Callable[..., list[tuple[Any, ...]]]


@pytest.mark.usefixtures("environment")
def test_every_query_of_the_dashboard_runs_as_the_role_that_reads(environment: dict[str, str]) -> None:
    for tier in ("T1", "T2", "OTCE"):
        drive(observe(api_text([{}], Partition(WEEK, tier)), Partition(WEEK, tier), NOON, "all"))
    with resources.database().transaction() as transaction:
        reader.make(transaction)
    with psycopg.connect(environment["OTCPIPE_DATABASE_URL"], autocommit=True) as connection:
        connection.execute(f"set role {reader.ROLE}".encode())
        for title, query in QUERIES.items():
            text = re.sub(r"\$__timeFilter\(([^)]*)\)", r"\1 between '2025-01-01' and '2026-01-01'", query)
            found = connection.execute(text.encode()).fetchall()
            assert bool(found) == (title in FULL), title


def test_every_figure_of_the_dashboard_and_the_alerts_is_served_with_its_labels(environment: dict[str, str]) -> None:
    drive(observe(api_text([{}], Partition(WEEK, "T1")), Partition(WEEK, "T1"), NOON, "all"))
    registry = CollectorRegistry()
    registry.register(Figures(resources.settings()))
    labels: dict[str, set[str]] = {}
    for family in registry.collect():
        for sample in family.samples:
            labels.setdefault(sample.name, set()).update(sample.labels)
    for formula in FORMULAS:
        for figure in re.findall(r"otcpipe_\w+", formula):
            assert figure in labels, formula
            assert set(re.findall(r"by \((\w+)\)", formula)) | set(re.findall(r"\{(\w+)=", formula)) <= labels[figure]
    assert len(FORMULAS) > 10


def test_the_dashboard_is_one_that_grafana_imports_on_any_server() -> None:
    assert {one["datasource"]["uid"] for one in DASHBOARD["panels"]} == {"${DS_POSTGRES}", "${DS_PROMETHEUS}"}
    assert {one["name"] for one in DASHBOARD["templating"]["list"]} == {"DS_POSTGRES", "DS_PROMETHEUS"}
    assert "id" not in DASHBOARD
    cells = [
        (x, y)
        for panel in DASHBOARD["panels"]
        for x in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])
    ]
    assert len(cells) == len({*cells})
    assert max(x for x, _ in cells) < 24


def test_prometheus_accepts_the_rules_and_every_formula() -> None:
    [group] = YAML(typ="safe").load((FOLDER / "alerts.yml").read_text())["groups"]
    assert {*group} == {"name", "rules"}
    assert len({rule["alert"] for rule in ALERTS}) == len(ALERTS)
    for rule in ALERTS:
        assert {*rule} <= {"alert", "expr", "for", "keep_firing_for", "labels", "annotations"}
        assert re.fullmatch(r"\d+[smhdw]", rule.get("for", "1m"))
        for template in re.findall(r"\{\{ *(.*?) *\}\}", " ".join(rule["annotations"].values())):
            assert re.fullmatch(r"(\$value|\$labels\.\w+)( \| humanize\w*)?", template), template
    for formula in FORMULAS:
        promql_parser.parse(formula.replace("$__rate_interval", "5m"))
    with pytest.raises(ValueError, match="invalid promql query"):
        promql_parser.parse("otcpipe_up == ")


def test_an_alert_says_what_happened_and_what_to_do() -> None:
    for rule in ALERTS:
        assert rule["alert"].startswith("Otcpipe")
        assert rule["labels"]["severity"] in ("warning", "critical")
        assert rule["annotations"]["summary"].endswith(".")
        assert "`otcpipe " in rule["annotations"]["description"]
    named = {
        figure.removeprefix("otcpipe_") for rule in ALERTS for figure in re.findall(r"otcpipe_\w+", rule["expr"])
    }
    assert named <= {*FIGURES}
