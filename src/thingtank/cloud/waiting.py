"""Waiting until a thing at AWS is in a state, and telling each state on the way.

boto3's waiters say nothing while they wait, for up to an hour.
"""

import time
from collections.abc import Callable, Collection

from thingtank.aws.clients import AwsClients, is_stand_in
from thingtank.cloud.errors import NotDone

PAUSE_S = 3.0
STAND_IN_PAUSE_S = 0.2
WAIT_S_MAX = 600.0

Told = Callable[[str], None]  # takes a line for the person who waits


def pause_s_of(clients: AwsClients, service: str) -> float:
    """How long to wait between two looks: a stand-in is quick and asks no money for calls."""
    return STAND_IN_PAUSE_S if is_stand_in(clients.settings.endpoint_of(service)) else PAUSE_S


def wait_until(
    look: Callable[[], str],
    wanted: Collection[str],
    told: Told,
    what: str,
    pause_s: float,
    wait_s_max: float = WAIT_S_MAX,
) -> str:
    """Look again and again until a state is one of those wanted; tell each new one.

    Args:
        what: such as `table readings`.

    Returns:
        The state.

    Raises:
        NotDone: it took too long, and still goes on at AWS.
    """
    deadline_s = time.monotonic() + wait_s_max
    last = None
    while (state := look()) not in wanted:
        if time.monotonic() >= deadline_s:
            raise NotDone(
                f"{what} is still {state or 'not there'} after {wait_s_max:g} s; it may become"
                " ready by itself: look again later"
            )
        if state != last:
            told(f"{what}: {state or 'not there yet'}")
            last = state
        time.sleep(pause_s)
    return state
