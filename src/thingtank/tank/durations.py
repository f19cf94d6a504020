"""Lengths of time in words."""

_UNITS_S = (("day", 86_400), ("hour", 3600), ("minute", 60), ("second", 1))


def duration_text(duration_s: int) -> str:
    """Whole seconds in the largest unit that needs no fraction: `90 days`, `1 hour`."""
    unit, size_s = next(row for row in _UNITS_S if duration_s % row[1] == 0)
    count = duration_s // size_s
    return f"{count:,} {unit}{'' if count == 1 else 's'}"
