"""An acknowledgement behaves as an `asyncio.Future` does, wherever one is used."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from thingtank.net.eager import run_eagerly
from thingtank.stores.acknowledgement import Acknowledgement

WAIT_S_MAX = 10.0
Waiting = Acknowledgement | asyncio.Future[None]


def a_future() -> asyncio.Future[None]:
    return asyncio.get_running_loop().create_future()


def an_acknowledgement() -> Acknowledgement:
    return Acknowledgement(asyncio.get_running_loop())


@pytest.fixture(params=[a_future, an_acknowledgement])
async def waiting(request: pytest.FixtureRequest) -> Waiting:
    made: Waiting = request.param()
    return made


def settle(waiting: Waiting, error: Exception | None = None) -> None:
    if isinstance(waiting, Acknowledgement):
        waiting.resolve(error)
    elif not waiting.done():
        if error is None:
            waiting.set_result(None)
        else:
            waiting.set_exception(error)


async def awaits(waiting: Awaitable[None]) -> str:
    try:
        await waiting
    except ValueError as error:
        return f"refused: {error}"
    return "acknowledged"


HOW_TO_WAIT: dict[str, Callable[[Waiting], Awaitable[Any]]] = {
    "a task": lambda waiting: asyncio.ensure_future(awaits(waiting)),
    "wait_for": lambda waiting: awaits(asyncio.wait_for(waiting, WAIT_S_MAX)),
    "shield": lambda waiting: awaits(asyncio.shield(waiting)),
    "gather": lambda waiting: awaits(asyncio.gather(waiting)),  # type: ignore[arg-type] # a list
    "awaited": awaits,
}


@pytest.mark.parametrize("how", HOW_TO_WAIT.values(), ids=HOW_TO_WAIT)
@pytest.mark.parametrize(
    ("error", "told"), [(None, "acknowledged"), (ValueError("full"), "refused: full")]
)
@pytest.mark.parametrize("is_settled_first", [True, False])
async def test_whoever_waits_is_told(
    waiting: Waiting,
    how: Callable[[Waiting], Awaitable[Any]],
    error: Exception | None,
    told: str,
    is_settled_first: bool,
) -> None:
    if is_settled_first:
        settle(waiting, error)
    else:
        asyncio.get_running_loop().call_later(0.01, settle, waiting, error)
    async with asyncio.timeout(WAIT_S_MAX):
        assert await how(waiting) == told
    assert waiting.done()
    assert not waiting.cancelled()


async def test_a_task_that_is_cancelled_gives_up_alone(waiting: Waiting) -> None:
    task = asyncio.ensure_future(awaits(waiting))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert waiting.cancelled()
    settle(waiting)  # the write goes on; its outcome is told to nobody
    with pytest.raises(asyncio.CancelledError):
        waiting.result()
    with pytest.raises(asyncio.CancelledError):
        waiting.exception()
    assert not waiting.cancel()


async def test_a_wait_that_takes_too_long_ends(waiting: Waiting) -> None:
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(waiting, 0.01)


async def test_its_outcome_is_not_known_before(waiting: Waiting) -> None:
    for ask in (waiting.result, waiting.exception):
        with pytest.raises(asyncio.InvalidStateError):
            ask()
    settle(waiting, ValueError("full"))
    assert str(waiting.exception()) == "full"


async def test_a_dropped_callback_is_not_called(waiting: Waiting) -> None:
    called: list[Waiting] = []
    kept: list[Waiting] = []
    waiting.add_done_callback(called.append)
    waiting.add_done_callback(kept.append)
    assert waiting.remove_done_callback(called.append) == 1
    settle(waiting)
    await asyncio.sleep(0)
    assert (called, kept) == ([], [waiting])


async def test_one_that_fails_when_told_does_not_keep_the_next_from_being_told() -> None:
    loop = asyncio.get_running_loop()
    logged: list[dict[str, Any]] = []
    loop.set_exception_handler(lambda _loop, context: logged.append(context))
    told: list[str] = []

    async def breaks(waiting: Acknowledgement) -> None:
        await waiting
        raise RuntimeError("a bug")

    async def goes_on(waiting: Acknowledgement) -> None:
        await waiting
        told.append("told")

    waiting = an_acknowledgement()
    run_eagerly(breaks(waiting))
    run_eagerly(goes_on(waiting))
    waiting.resolve()
    assert told == ["told"]
    assert [str(context["exception"]) for context in logged] == ["a bug"]
