"""How often a call is made again whose parts failed for a while, and how long to wait between."""

import random

ATTEMPTS_MAX = 8
PAUSE_S = 0.1
PAUSE_S_MAX = 5.0


def pause_s_after(attempt: int) -> float:
    """How long to wait after an attempt, the first being 0: longer each time, never all alike."""
    return random.uniform(0, min(PAUSE_S_MAX, PAUSE_S * 2**attempt))  # noqa: S311 - only spread
