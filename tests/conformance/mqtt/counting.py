"""Counts that tests hand to the summary at the end of the run."""

from collections import Counter
from collections.abc import Iterable
from typing import Any

COUNTED = "mqtt_counts"  # the property of a test's report that has them


def counted_lines(reports: Iterable[Any]) -> list[str]:
    """One line for each thing that was counted, over all reports."""
    counts: Counter[str] = Counter()
    for report in reports:
        for name, value in getattr(report, "user_properties", ()):
            if name == COUNTED and getattr(report, "when", "") == "call":
                counts.update(value)
    return [f"{what}: {number}" for what, number in sorted(counts.items())]
