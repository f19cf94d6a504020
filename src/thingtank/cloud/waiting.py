"""Waiting for AWS, and saying how things stand meanwhile.

A waiter of botocore's own is silent until its end, for up to an hour. Where there is one its rules
say which answers are success and which failure (`wait`); elsewhere a state is looked at again and
again (`wait_until`). The turns are made here.
"""

import time
from collections.abc import Callable, Collection, Iterator
from typing import Any

from thingtank.aws.clients import AwsClients, is_stand_in
from thingtank.cloud.errors import NotDone

PAUSE_S = 3.0
STAND_IN_PAUSE_S = 0.1  # it is quick, and nobody counts its calls
WAIT_S_MAX = 600.0

Told = Callable[[str], None]  # takes a line for the person who waits


class WaitFailed(NotDone):
    """What is waited for cannot come any more, or has not come in time.

    Attributes:
        response: the last answer of AWS.
    """

    def __init__(self, message: str, response: dict[str, Any]) -> None:
        super().__init__(message)
        self.response = response


def turns(client: Any, pause_s: float, count_max: int) -> Iterator[int]:
    """Turns of a loop that asks AWS, with pauses between them; none is long with a stand-in."""
    pause_s = STAND_IN_PAUSE_S if is_stand_in(client.meta.endpoint_url) else pause_s
    for turn in range(count_max):
        if turn:
            time.sleep(pause_s)
        yield turn


def wait(
    client: Any, waiter_name: str, told: Callable[[dict[str, Any]], None], /, **arguments: Any
) -> dict[str, Any]:
    """Wait by the rules of a waiter, such as `instance_running`.

    Args:
        told: gets each answer of AWS.
        arguments: of the call that the waiter repeats.

    Returns:
        The answer that ended it.

    Raises:
        WaitFailed: the waiter's rules say that it failed, or its time is up.
        botocore.exceptions.ClientError: of a code that the waiter has no rule for.
    """
    from botocore import xform_name
    from botocore.exceptions import ClientError

    config = client.get_waiter(waiter_name).config
    call = getattr(client, xform_name(config.operation))
    acceptors = config.acceptors
    response: dict[str, Any] = {}
    for _ in turns(client, config.delay, config.max_attempts):
        error: ClientError | None = None
        try:
            response = call(**arguments)
        except ClientError as found:
            error, response = found, found.response
        if error is None:
            told(response)
        met = next((each for each in acceptors if each.matcher_func(response)), None)
        if met is None and error is not None:
            raise error
        if met is not None and met.state == "success":
            return response
        if met is not None and met.state == "failure":
            raise WaitFailed(f"{_words(waiter_name)} will not come: {met.explanation}", response)
    wait_s = config.delay * config.max_attempts
    raise WaitFailed(f"{_words(waiter_name)} has not come within {wait_s} s", response)


def _words(waiter_name: str) -> str:
    return f"`{waiter_name.replace('_', ' ')}`"


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
