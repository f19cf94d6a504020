"""How long to wait before the next attempt."""

PAUSE_S = 0.5
_DOUBLINGS_MAX = 16


def pause_s_max(failure_count: int, retry_s_max: float, *, is_passing: bool) -> float:
    """The longest pause after so many failures in a row; the pause itself is chance below that.

    Args:
        retry_s_max: never more than that.
        is_passing: whether it may go by itself; what a person has to mend is tried as rarely as
            may be from the first failure on.
    """
    if not is_passing:
        return retry_s_max
    doublings = min(max(0, failure_count - 1), _DOUBLINGS_MAX)
    return min(PAUSE_S * 2.0**doublings, retry_s_max)
