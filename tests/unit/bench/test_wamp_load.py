"""The load generator of the WAMP bench: what a router does wrong shows, and does not count as speed.

The routers here are a few lines of RawSocket and JSON, right or wrong in one way.
"""

import asyncio
import json
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import count

import pytest
from tests.bench.wamp_load import Line, LoadRefused, WampLoad, Work, run_load
from tests.needed import needed_program

Spoil = Callable[[int, bytes], list[bytes]]
"""The EVENTs of publications that are written for one, the nth."""


def frame(*message: object) -> bytes:
    data = json.dumps(message, separators=(",", ":")).encode()
    return len(data).to_bytes(4, "big") + data


class SmallRouter:
    """Relays what one publishes to whoever has subscribed, and calls to whoever has registered."""

    def __init__(self, spoil: Spoil, answers: bool) -> None:
        self._spoil = spoil
        self._answers = answers
        self._numbers = count()
        self._subscribers: list[asyncio.StreamWriter] = []
        self._callee: asyncio.StreamWriter | None = None
        self._caller: asyncio.StreamWriter | None = None

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            writer.write(await reader.readexactly(4))
            while True:
                length = int.from_bytes(await reader.readexactly(4), "big")
                self._take(json.loads(await reader.readexactly(length)), writer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    def _take(self, message: list[object], writer: asyncio.StreamWriter) -> None:
        kind, request_id = message[0], message[1]
        if kind == 1:
            writer.write(frame(2, 7, {"roles": {}}))
        elif kind == 32:
            self._subscribers.append(writer)
            writer.write(frame(33, request_id, 5))
        elif kind == 64:
            self._callee = writer
            writer.write(frame(65, request_id, 6))
        elif kind == 16:
            event = frame(36, 5, 9, {}, message[4])
            for data in self._spoil(next(self._numbers), event):
                for subscriber in self._subscribers:
                    subscriber.write(data)
        elif kind == 48 and self._answers:
            assert self._callee is not None
            self._caller = writer
            self._callee.write(frame(68, request_id, 6, {}, message[4]))
        elif kind == 70:
            assert self._caller is not None
            self._caller.write(frame(50, request_id, {}, message[3]))


@asynccontextmanager
async def small_router(
    spoil: Spoil = lambda number, event: [event], answers: bool = True
) -> AsyncIterator[Line]:
    router = SmallRouter(spoil, answers)
    server = await asyncio.start_server(router.serve, "127.0.0.1", 0)
    async with server:
        yield Line(server.sockets[0].getsockname()[1], "raw")


async def load(line: Line, work: Work) -> WampLoad:
    needed_program("cc")
    return await asyncio.to_thread(
        run_load, line, work, lambda: [os.getpid()], warm_s=0.05, run_s=0.2, settle_s=0.5
    )


async def test_right_router_has_nothing_lost_and_nothing_bad() -> None:
    async with small_router() as line:
        seen = await load(line, Work("publish", 2, window=64))
    assert (seen.lost, seen.bad) == (0, 0)
    assert seen.events > 100
    assert seen.router_cpu_s > 0
    assert seen.generator_share < 1


async def test_calls_are_counted_and_timed() -> None:
    async with small_router() as line:
        seen = await load(line, Work("call", window=16))
    assert (seen.lost, seen.bad) == (0, 0)
    assert seen.results > 100
    assert 0 < seen.p50_us <= seen.p99_us <= seen.max_us


async def test_calls_at_a_fixed_rate_keep_it() -> None:
    async with small_router() as line:
        seen = await load(line, Work("call", window=1, rate=500))
    assert 0.5 < seen.per_second / 500 < 1.2  # a busy machine is late


SPOILED: dict[str, Spoil] = {
    "loses": lambda number, event: [] if number % 10 == 9 else [event],
    "repeats": lambda number, event: [event, event] if number % 10 == 9 else [event],
    "changes the end": lambda number, event: [event.replace(b"of payload", b"of_payload")],
}


@pytest.mark.parametrize("how", SPOILED)
async def test_what_a_router_does_to_events_shows(how: str) -> None:
    async with small_router(SPOILED[how]) as line:
        seen = await load(line, Work("publish", 1, window=64))
    assert seen.bad > 0
    if how == "loses":
        assert seen.lost > 0
    if how == "repeats":
        assert seen.lost < 0


async def test_call_without_an_answer_is_lost() -> None:
    async with small_router(answers=False) as line:
        seen = await load(line, Work("call", window=4))
    assert (seen.results, seen.lost) == (0, 4)


async def test_refusal_is_told() -> None:
    def refuse(number: int, event: bytes) -> list[bytes]:
        return [frame(8, 16, 1, {}, "wamp.error.not_authorized")]

    async with small_router(refuse) as line:
        with pytest.raises(LoadRefused, match="not_authorized"):
            await load(line, Work("publish", 1, window=64))
