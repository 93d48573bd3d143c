"""What `show` says of the numbers that it prints."""

import json
import subprocess
from collections.abc import Callable
from datetime import date

from otcpipe import resources
from otcpipe.metrics import completion
from otcpipe.records import Partition
from tests.support.pipeline import drive, file_text, observe

Here = Callable[..., "subprocess.CompletedProcess[str]"]
BEFORE, WEEK = date(2025, 10, 10), date(2025, 11, 14)


def load() -> None:
    """Load a week that FINRA updated before its first capture, and a later one that it did not."""
    drive(
        observe(
            file_text([("ABC", "AAAA", 100, 1)], updated_on="2025-12-15"), Partition(BEFORE, "OTCE"), covers="ats"
        ),
        observe(file_text([("ABC", "AAAA", 300, 1)]), Partition(WEEK, "OTCE"), covers="ats"),
    )


def test_records_that_are_left_out_are_counted_also_where_only_the_mean_lacks_them(here: Here) -> None:
    load()
    asked = ("show", "ABC", "--as-of", "2025-12-18")
    one, six = (json.loads(here(*asked, "--weeks", number, "--json").stdout)[0] for number in (1, 6))
    assert (one["unknown_records"], one["unknown_records_before"]) == (0, 1)
    assert (six["unknown_records"], six["unknown_records_before"]) == (1, 0)
    assert (
        "are lost: 1 record of the year before, which means and medians read.\n" in here(*asked, "--weeks", 1).stdout
    )
    assert "are lost: 1 record of these weeks.\n" in here(*asked, "--weeks", 6).stdout
    assert (one["inferred_records"], "Inferred: 1 record, " in here(*asked).stdout) == (1, True)
    assert "Left out" not in here("show", "ABC").stdout
    assert "Inferred" not in here("show", "ABC").stdout


def test_comparisons_that_wait_are_marked(here: Here) -> None:
    load()
    completion.complete(resources.database())
    assert "to be completed" not in here("show", "ABC").stdout
    with resources.database().transaction() as transaction:
        transaction.connection.execute("insert into otc_internal.deferred_week values (%s, 'symbol_unusual')", [WEEK])
    assert "of concentration of 1 week are still to be completed" in here("show", "ABC").stdout
    assert json.loads(here("show", "ABC", "--json").stdout)[0]["incomplete_weeks"] == [str(WEEK)]
    assert "to be completed" not in here("show", "ABC", "--as-of", "2025-12-18").stdout


def test_the_first_line_names_the_issue(here: Here) -> None:
    load()
    assert here("show", "ABC").stdout.splitlines()[0] == "ABC, ABC Inc; scope ATS."
    assert json.loads(here("show", "ABC", "--as-of", "2025-12-18", "--json").stdout)[0]["issue_name"] == "ABC Inc"


def test_of_one_scope_programs_get_its_weeks_alone(here: Here) -> None:
    load()
    for form in ("--json", "--csv"):
        assert "NON_ATS" not in here("show", "ABC", "--scope", "ATS", form).stdout
    [found] = json.loads(here("show", "ABC", "--scope", "ATS", "--json").stdout)
    assert {row["scope"] for row in found["history"]} == {"ATS"}
