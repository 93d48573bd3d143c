"""What OpenBB Workspace is offered: every widget's address answers, with the columns and parameters that it names."""

from typing import Any

import pytest

from otcpipe.web.widgets import APPS, WIDGETS
from tests.web.conftest import Site

ORIGIN = {"Origin": "https://pro.openbb.co", "Sec-Fetch-Site": "cross-site"}


def asked(widget: dict[str, Any]) -> dict[str, Any]:
    return {one["paramName"]: one["value"] for one in widget["params"] if one["value"] is not None}


@pytest.mark.parametrize("name", WIDGETS)
def test_a_widget_shows_a_flat_list_with_its_columns(name: str, site: Site) -> None:
    widget = site.get("/widgets.json", headers=ORIGIN).json()[name]
    found = site.get(f"/{widget['endpoint']}", params=asked(widget), headers=ORIGIN)
    assert found.status_code == 200, found.text
    fields = {one["field"] for one in widget["data"]["table"]["columnsDefs"]}
    assert found.json()
    assert all(fields <= row.keys() for row in found.json())
    shown = [row[field] for row in found.json() for field in fields]
    assert not any(isinstance(value, list | dict) for value in shown)


@pytest.mark.parametrize("name", WIDGETS)
def test_the_api_has_the_parameters_of_a_widget(name: str, site: Site) -> None:
    operation = site.get("/openapi.json").json()["paths"][f"/{WIDGETS[name]['endpoint']}"]["get"]
    assert {one["paramName"] for one in WIDGETS[name]["params"]} <= {one["name"] for one in operation["parameters"]}


def test_the_dashboard_places_existing_widgets_side_by_side(site: Site) -> None:
    [app] = site.get("/apps.json", headers=ORIGIN).json()
    assert app == APPS[0]
    for tab in app["tabs"].values():
        cells = [
            (x, y)
            for one in tab["layout"]
            for x in range(one["x"], one["x"] + one["w"])
            for y in range(one["y"], one["y"] + one["h"])
        ]
        assert len(cells) == len({*cells})
        assert max(x for x, _ in cells) < 40
        assert {one["i"] for one in tab["layout"]} <= WIDGETS.keys()
    for group in app["groups"]:
        for name in group["widgetIds"]:
            assert group["paramName"] in asked(WIDGETS[name])
