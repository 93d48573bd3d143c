"""Requests that the OpenAPI document allows, and some that it does not, are all answered as it says."""

from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import content_type_conformance, not_a_server_error, status_code_conformance
from schemathesis.checks import response_schema_conformance as as_documented
from schemathesis.core.result import Ok

from tests.web.conftest import Site

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, as_documented]


@pytest.mark.parametrize("count", [300, pytest.param(2_000, marks=pytest.mark.slow)])
def test_every_request_is_answered_as_documented(count: int, site: Site) -> None:
    schema = schemathesis.openapi.from_dict(site.get("/openapi.json").json())
    operations = [found.ok() for found in schema.get_all_operations() if isinstance(found, Ok)]
    modes = st.sampled_from([GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
    answered = set()
    with requests.Session() as session:
        for operation in operations:
            cases = modes.flatmap(operation.as_strategy)

            @settings(
                max_examples=count // len(operations) + 1,
                phases=[Phase.generate],
                suppress_health_check=list(HealthCheck),
                derandomize=True,
            )
            @given(case=cases)
            def ask(case: "schemathesis.Case[Any]") -> None:
                answer = case.call_and_validate(base_url=site.origin, session=session, checks=CHECKS)
                answered.add((case.operation.path, answer.status_code))

            ask()
    assert {path for path, _ in answered} == {operation.path for operation in operations}
    assert {200, 400, 404} <= {status for _, status in answered}
    assert not any(status >= 500 for _, status in answered)
