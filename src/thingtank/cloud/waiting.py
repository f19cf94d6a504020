"""Waiting for AWS, and saying how things stand meanwhile.

A waiter of botocore's own is silent until its end, for up to an hour. Where there is one its rules
say which answers are success and which failure (`wait`); elsewhere a state is looked at again and
again (`wait_until`). The turns are made here.
"""

import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

from thingtank.aws.clients import AwsClients, is_stand_in
from thingtank.aws.failures import is_missing
from thingtank.cloud.errors import NotDone
from thingtank.cloud.patience import patiently
from thingtank.cloud.progress import Say

PAUSE_S = 3.0
STAND_IN_PAUSE_S = 0.1  # it is quick, and nobody counts its calls
WAIT_S_MAX = 600.0
_GONE = "gone"


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
    pause_s = _pause_s_of(client, pause_s)
    for turn in range(count_max):
        if turn:
            time.sleep(pause_s)
        yield turn


def _pause_s_of(client: Any, pause_s: float) -> float:
    return STAND_IN_PAUSE_S if is_stand_in(client.meta.endpoint_url) else pause_s


def wait(
    client: Any, waiter_name: str, seen: Callable[[dict[str, Any]], None], /, **arguments: Any
) -> dict[str, Any]:
    """Wait by the rules of a waiter, such as `instance_running`.

    Args:
        seen: gets each answer of AWS.
        arguments: of the call that the waiter repeats.

    Returns:
        The answer that ended it.

    Raises:
        WaitFailed: the waiter's rules say that it failed, or its time is up.
        botocore.exceptions.BotoCoreError, ClientError: one that the waiter has no rule for, and
            that does not pass; see `patiently`.
    """
    from botocore import xform_name

    config = client.get_waiter(waiter_name).config
    call = partial(getattr(client, xform_name(config.operation)), **arguments)
    look = partial(_look, call, config.acceptors, seen)
    pause_s = _pause_s_of(client, config.delay)
    response: dict[str, Any] = {}
    for _ in turns(client, config.delay, config.max_attempts):
        response, met = patiently(look, pause_s, time.sleep)
        if met is not None and met.state == "success":
            return response
        if met is not None and met.state == "failure":
            raise WaitFailed(f"{_words(waiter_name)} will not come: {met.explanation}", response)
    wait_s = config.delay * config.max_attempts
    raise WaitFailed(f"{_words(waiter_name)} has not come within {wait_s} s", response)


def _look(
    call: Callable[[], dict[str, Any]],
    acceptors: Sequence[Any],
    seen: Callable[[dict[str, Any]], None],
) -> tuple[dict[str, Any], Any]:
    """An answer, and which of a waiter's rules it meets; an error that meets none is raised."""
    from botocore.exceptions import ClientError

    error: ClientError | None = None
    try:
        response = call()
    except ClientError as found:
        error, response = found, dict(found.response)
    if error is None:
        seen(response)
    met = next((each for each in acceptors if each.matcher_func(response)), None)
    if met is None and error is not None:
        raise error
    return response, met


def _words(waiter_name: str) -> str:
    return f"`{waiter_name.replace('_', ' ')}`"


@contextmanager
def said_if_made(say: Say, what: str, name: str) -> Iterator[None]:
    """What a `create` does with what it has made: say that this is there, if the rest fails.

    Args:
        what: the command's word for it, such as `table`.
    """
    try:
        yield
    except Exception:
        say(
            f"The {what} {name} is made, and costs. Give the same command again for the rest, or"
            f" end it: thingtank cloud {what} delete {name}"
        )
        raise


def pause_s_of(clients: AwsClients, service: str) -> float:
    """How long to wait between two looks: a stand-in is quick and asks no money for calls."""
    return STAND_IN_PAUSE_S if is_stand_in(clients.settings.endpoint_of(service)) else PAUSE_S


def state_of(ask: Callable[[], str]) -> str:
    """A state; blank when what has it is not there, as what is new is not at first."""
    try:
        return ask()
    except Exception as error:
        if is_missing(error):
            return ""
        raise


def wait_until_gone(look: Callable[[], str], say: Say, what: str, pause_s: float) -> None:
    """Look again and again until a state is blank, as `state_of` has it; see `wait_until`."""
    wait_until(lambda: look() or _GONE, (_GONE,), say, what, pause_s)


def wait_until(
    look: Callable[[], str],
    wanted: Collection[str],
    say: Say,
    what: str,
    pause_s: float,
    wait_s_max: float = WAIT_S_MAX,
) -> str:
    """Look again and again until a state is one of those wanted; say each new one.

    Args:
        what: such as `table readings`.

    Returns:
        The state.

    Raises:
        NotDone: it took too long, and still goes on at AWS.
        botocore.exceptions.BotoCoreError, ClientError: one that does not pass; see `patiently`.
    """
    deadline_s = time.monotonic() + wait_s_max
    last = None
    while (state := patiently(look, pause_s, time.sleep)) not in wanted:
        if time.monotonic() >= deadline_s:
            raise NotDone(
                f"{what} is still {state or 'not there'} after {wait_s_max:g} s; it may become"
                " ready by itself: look again later"
            )
        if state != last:
            say(f"{what}: {state or 'not there yet'}")
            last = state
        time.sleep(pause_s)
    return state
