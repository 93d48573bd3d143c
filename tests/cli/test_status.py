"""The state of partitions, and what is still to be computed of their weeks."""

import json
from datetime import date, timedelta

import pytest

from otcpipe import resources
from otcpipe.cli.form import Form
from otcpipe.cli.status import status
from otcpipe.metrics import completion
from otcpipe.pipeline import definition, ledger
from otcpipe.pipeline.ledger import Run
from otcpipe.records import Partition
from otcpipe.storage import keys
from tests.support.pipeline import WEEK, drive, fail, file_text, observe, reconciled

LATER = [WEEK + timedelta(days=7 * number) for number in (1, 2)]


def taken(week: date) -> Run:
    return observe(file_text([("AAA", "AAAA", 10, 1)]), Partition(week, "OTCE"))


@pytest.mark.usefixtures("environment")
def test_it_says_which_weeks_are_to_be_completed(capsys: pytest.CaptureFixture[str]) -> None:
    key = keys.parse(f"partition/T1/{WEEK}", resources.settings()["S3_PREFIX"])
    asked = ledger.request(resources.database(), Run(definition.named("fetch"), key, request="a test"))
    drive(*map(taken, LATER))
    completion.complete(resources.database())
    status(None, None, Form.TABLE, lambda _: {})
    said = " ".join(capsys.readouterr().out.split())
    assert "To be completed once the weeks before have settled:" in said
    assert f"symbol_rolling_avg of 2 weeks from {LATER[0]} to {LATER[1]}" in said
    status(str(LATER[0]), None, Form.JSON, lambda _: {})
    rows = json.loads(capsys.readouterr().out)
    assert "venue_share" in next(row["incomplete"] for row in rows if row["tier"] == "OTCE")
    fail(asked, "FINRA does not answer")
    drive(*reconciled())
    completion.complete(resources.database())
    status(None, None, Form.TABLE, lambda _: {})
    assert "To be completed" not in capsys.readouterr().out
