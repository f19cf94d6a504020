"""Coroutines without a task."""

import asyncio

import pytest

from thingtank.net.eager import run_eagerly


async def test_it_runs_at_once_and_goes_on_when_what_it_waits_for_is_done() -> None:
    loop = asyncio.get_running_loop()
    first: asyncio.Future[int] = loop.create_future()
    done: list[object] = []

    async def work() -> None:
        done.append("begun")
        done.append(await first)
        await asyncio.sleep(0)
        done.append(await loop.run_in_executor(None, lambda: "thread"))

    run_eagerly(work())
    assert done == ["begun"]
    first.set_result(7)
    await asyncio.sleep(0.2)
    assert done == ["begun", 7, "thread"]


async def test_what_fails_while_it_waits_is_raised_where_it_waits() -> None:
    future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    caught: list[str] = []

    async def work() -> None:
        try:
            await future
        except OSError as error:
            caught.append(str(error))

    run_eagerly(work())
    future.set_exception(OSError("full"))
    await asyncio.sleep(0)
    assert caught == ["full"]


async def test_an_error_of_its_own_is_the_callers() -> None:
    async def work() -> None:
        raise ValueError("at once")

    with pytest.raises(ValueError, match="at once"):
        run_eagerly(work())
