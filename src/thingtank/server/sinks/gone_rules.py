"""Rules that left the settings, of which dead letters are there yet."""

from thingtank.tank.sinks import SinkStatus


def gone_status(name: str, letter_count: int) -> SinkStatus:
    """A rule that is no more, as pages show it."""
    return SinkStatus(
        name=name,
        engine="",
        where="",
        what="",
        state="gone",
        is_fixed=False,
        behind_count=0,
        behind_s=0.0,
        per_minute=0,
        delivered_count=0,
        retried_count=0,
        dead_count=0,
        failures={},
        missed_count=0,
        letter_count=letter_count,
        is_retrying_letters=False,
        trouble=None,
    )
