"""The result of a verification."""

from dataclasses import dataclass, field
from datetime import date


@dataclass
class Verdict:
    """What was compared of a partition, or of a week's metrics if `tier` is None.

    A finding is a sentence about a fault, a note one about something that cannot be verified yet.
    """

    week_ending: date
    tier: str | None = None
    compared: dict[str, int] = field(default_factory=dict)
    findings: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
