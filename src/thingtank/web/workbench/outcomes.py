"""What became of something that was tried out, as pages show it, and short words for numbers."""

import msgspec


class ShownOutcome(msgspec.Struct, frozen=True):
    """What became of a request, in the protocol's words.

    Attributes:
        uri: of the error or reason.
        words: where the protocol has none.
        facts: ids in the answer.
        args, kwargs: JSON; blank for none.
        progress: results before the last.
    """

    name: str
    is_good: bool
    uri: str
    words: str
    facts: str
    took: str
    args: str = ""
    kwargs: str = ""
    progress: list[str] = []


def took(duration_us: int) -> str:
    """A short time in few digits."""
    if duration_us < 100_000:
        return f"{duration_us / 1000:.1f} ms"
    return f"{duration_us / 1000:.0f} ms" if duration_us < 1e6 else f"{duration_us / 1e6:.1f} s"


def rate_text(per_s: float) -> str:
    """How often something happens in a second, in few digits; the page's script does the same."""
    if per_s == 0:
        return "0"
    if per_s < 0.05:
        return "< 0.1"
    return f"{per_s:.1f}" if per_s < 10 else f"{per_s:.0f}"
