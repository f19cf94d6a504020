"""When the server is to send a heartbeat, and when its answer is too late."""

from enum import Enum, auto


class Step(Enum):
    """What is to be done."""

    WAIT = auto()
    BEAT = auto()
    GIVE_UP = auto()


def next_step(
    now_us: int, heard_us: int, beaten_us: int, interval_us: int, timeout_us: int
) -> tuple[Step, int]:
    """What is to be done now, and when to ask again.

    Anything that is heard of a peer counts as its answer. It is sent heartbeats as often all the
    same, as it takes the server for lost otherwise; but none while an answer is due.

    Args:
        heard_us: when the peer was last heard of.
        beaten_us: when the last heartbeat was sent, or the connection opened.
        timeout_us: how long a heartbeat may be without an answer.
    """
    if heard_us < beaten_us:
        due_us = beaten_us + timeout_us
        if now_us >= due_us:
            return Step.GIVE_UP, due_us
        return Step.WAIT, min(due_us, now_us + interval_us)
    due_us = beaten_us + interval_us
    if now_us < due_us:
        return Step.WAIT, due_us
    return Step.BEAT, now_us + min(interval_us, timeout_us)
