"""The checks of `otcpipe doctor` in order: name, the checks that it depends on, and the function."""

from collections.abc import Callable

from otcpipe.monitoring import calendar_check, finra_check, server_checks, work_checks
from otcpipe.monitoring.context import CheckContext, Verdict

Check = tuple[str, tuple[str, ...], Callable[[CheckContext], Verdict]]
CHECKS: tuple[Check, ...] = (
    ("settings", (), server_checks.settings),
    ("postgres", (), server_checks.postgres),
    ("migrations", ("postgres",), server_checks.migrations),
    ("redis", (), server_checks.redis),
    ("s3", (), server_checks.s3),
    ("finra", ("redis",), finra_check.finra),
    ("clock", (), server_checks.clock),
    ("calendar", ("migrations",), calendar_check.calendar),
    ("queues", ("redis",), work_checks.queues),
    ("objects", ("migrations", "s3"), work_checks.objects),
    ("runs", ("migrations", "redis", "s3"), work_checks.runs),
    ("letters", ("migrations",), work_checks.letters),
    ("oddities", ("migrations",), work_checks.anomalies),
    ("disk", (), server_checks.disk),
)
