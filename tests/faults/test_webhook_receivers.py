"""Receivers that are dead, slow or mean harm: attempts end in time, in few bytes, nowhere else."""

import asyncio
import gzip
import os
import resource
import time
import tracemalloc
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from tests.deliveries import (
    Behaviour,
    answering,
    delivery_to,
    derive,
    eventually,
    new,
    outbox_in,
    receiver,
)

from thingtank.sinks.dispatcher import Dispatcher
from thingtank.sinks.outcome import Verdict
from thingtank.sinks.settings import DeliverySettings, WebhookSettings
from thingtank.sinks.webhooks import WebhookSink
from thingtank.stores.sqlite_outbox import SqliteOutbox
from thingtank.tank.deliveries import ANSWER_BYTES_MAX, Delivery, DeliveryState
from thingtank.tank.tank import SystemClock

ATTEMPT_S = 1.0
SETTINGS = WebhookSettings(
    allowed_networks=("127.0.0.1/32",), attempt_s_max=ATTEMPT_S, connect_s_max=0.5
)
NAMES = ("receiver.example", "127.0.0.1")


class Names:
    """A name server that may change its mind, or never answer."""

    def __init__(self, *answers: Sequence[str] | None) -> None:
        self._answers = list(answers)
        self.asked_count = 0

    async def resolve(self, host: str) -> Sequence[str]:
        self.asked_count += 1
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if answer is None:
            await asyncio.sleep(60)
            raise AssertionError("nobody waits so long")
        return answer


async def secrets_of(account_id: int, now_us: int) -> Sequence[bytes]:
    return [derive(str(account_id))]


def sink(names: Names | None = None, settings: WebhookSettings = SETTINGS) -> WebhookSink:
    return WebhookSink(settings, names or Names(["127.0.0.1"]), secrets_of, SystemClock())


async def say(writer: asyncio.StreamWriter, data: bytes) -> None:
    writer.write(data)
    await writer.drain()


async def endless_body(request: bytes, writer: asyncio.StreamWriter) -> None:
    await say(writer, b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        await say(writer, b"x" * 65536)


async def endless_chunks(request: bytes, writer: asyncio.StreamWriter) -> None:
    await say(writer, b"HTTP/1.1 500 X\r\ntransfer-encoding: chunked\r\n\r\n")
    while True:
        await say(writer, b"1\r\nx\r\n" * 1000)


async def slow_body(request: bytes, writer: asyncio.StreamWriter) -> None:
    await say(writer, b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n")
    while True:
        await say(writer, b"x")
        await asyncio.sleep(0.2)


async def slow_headers(request: bytes, writer: asyncio.StreamWriter) -> None:
    for byte in b"HTTP/1.1 200 OK\r\n" + b"x-slow: yes\r\n" * 1000:
        await say(writer, bytes([byte]))
        await asyncio.sleep(0.1)


async def huge_headers(request: bytes, writer: asyncio.StreamWriter) -> None:
    await say(writer, b"HTTP/1.1 200 OK\r\n")
    while True:
        await say(writer, b"x-header: " + b"y" * 8000 + b"\r\n")


async def endless_header(request: bytes, writer: asyncio.StreamWriter) -> None:
    await say(writer, b"HTTP/1.1 200 OK\r\nx-header: ")
    while True:
        await say(writer, b"y" * 65536)


async def endless_interim_answers(request: bytes, writer: asyncio.StreamWriter) -> None:
    while True:
        await say(writer, b"HTTP/1.1 100 Continue\r\n\r\n" * 1000)


async def silence(request: bytes, writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(60)


async def hang_up(request: bytes, writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()


async def not_http(request: bytes, writer: asyncio.StreamWriter) -> None:
    await say(writer, b"SSH-2.0-OpenSSH_9.2\r\n")


async def upgrade(request: bytes, writer: asyncio.StreamWriter) -> None:
    await say(
        writer, b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n"
    )


BOMB = gzip.compress(bytes(50_000_000))

# Behaviour, whether it counts as delivered, what the error says.
CASES: dict[str, tuple[Behaviour, Verdict, str]] = {
    "an endless body": (endless_body, Verdict.DELIVERED, ""),
    "an endless body of an error": (endless_chunks, Verdict.RETRY, "answered 500"),
    "a body that drips": (slow_body, Verdict.DELIVERED, ""),
    "headers that drip": (slow_headers, Verdict.RETRY, "no answer within 1 s"),
    "huge headers": (huge_headers, Verdict.RETRY, "cannot be read"),
    "a header without an end": (endless_header, Verdict.RETRY, "cannot be read"),
    "interim answers without an end": (
        endless_interim_answers,
        Verdict.RETRY,
        "more than 32768 bytes",
    ),
    "silence": (silence, Verdict.RETRY, "no answer within 1 s"),
    "a reset": (hang_up, Verdict.RETRY, "disconnected without sending"),
    "another protocol": (not_http, Verdict.RETRY, "cannot be read"),
    "an upgrade": (upgrade, Verdict.RETRY, "cannot be read"),
    "a gzip bomb": (answering(200, "content-encoding: gzip\r\n", BOMB), Verdict.DELIVERED, ""),
    "a length that lies": (
        answering(200, "content-length: 99999999999\r\n"),
        Verdict.RETRY,
        "cannot be read",
    ),
}


@pytest.mark.parametrize("case", CASES)
async def test_an_attempt_ends_in_time_with_few_bytes(case: str) -> None:
    behaviour, verdict, words = CASES[case]
    there_is = sink()
    async with receiver(behaviour) as there:
        tracemalloc.start()
        start_s = time.monotonic()
        outcome = await there_is.deliver(delivery_to(there.url))
        took_s = time.monotonic() - start_s
        _, peak_bytes = tracemalloc.get_traced_memory()
        tracemalloc.stop()

        async def let_go() -> bool:
            return there.open_count == 0

        if behaviour is not silence:  # which does not look whether anybody is left
            await eventually(let_go)
    assert outcome.verdict is verdict
    assert words in outcome.error
    assert took_s < ATTEMPT_S + 0.5
    assert len(outcome.answer) <= ANSWER_BYTES_MAX
    assert peak_bytes < 5_000_000


@pytest.mark.parametrize(
    "location",
    [
        "http://127.0.0.1:{port}/inside",
        "http://169.254.169.254/latest/meta-data/",
        "/elsewhere",
        "file:///etc/passwd",
    ],
)
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_a_failure_and_leads_nowhere(status: int, location: str) -> None:
    async with receiver(answering()) as inside:
        header = f"Location: {location.format(port=inside.port)}\r\n"
        async with receiver(answering(status, header)) as there:
            outcome = await sink().deliver(delivery_to(there.url))
    assert (outcome.verdict, outcome.status) == (Verdict.RETRY, status)
    assert "not followed" in outcome.error
    assert inside.requests == []
    assert len(there.requests) == 1


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1", "0.0.0.0", "169.254.169.254", "10.0.0.1"],  # noqa: S104 - refused
)  # fmt: skip
async def test_names_that_lead_inside_are_refused_without_a_connection(address: str) -> None:
    async with receiver(answering()) as inside:
        url = f"http://receiver.example:{inside.port}/"
        outcome = await sink(Names([address]), WebhookSettings()).deliver(delivery_to(url))
    assert outcome.verdict is Verdict.REFUSED
    assert "webhooks may not reach" in outcome.error
    assert "webhooks.allow_private" in outcome.error
    assert inside.requests == []


async def test_a_name_that_changes_after_the_check_changes_nothing() -> None:
    names = Names(["127.0.0.1"], ["127.0.0.2"])
    async with receiver(answering()) as there, AsyncServer("127.0.0.2", there.port) as inside:
        outcome = await sink(names).deliver(delivery_to(f"http://receiver.example:{there.port}/"))
        assert (outcome.verdict, names.asked_count, inside.hit_count) == (Verdict.DELIVERED, 1, 0)
        outcome = await sink(names).deliver(delivery_to(f"http://receiver.example:{there.port}/"))
        assert (outcome.verdict, inside.hit_count) == (Verdict.REFUSED, 0)


class AsyncServer:
    """Counts who connects to an address and port."""

    def __init__(self, host: str, port: int) -> None:
        self._host = host
        self._port = port
        self.hit_count = 0

    async def __aenter__(self) -> "AsyncServer":
        self._server = await asyncio.start_server(self._hit, self._host, self._port)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()

    async def _hit(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.hit_count += 1
        writer.close()


async def test_of_mixed_addresses_only_the_allowed_ones_are_connected_to() -> None:
    async with receiver(answering()) as there, AsyncServer("127.0.0.2", there.port) as inside:
        outcome = await sink(Names(["127.0.0.2", "127.0.0.1"])).deliver(
            delivery_to(f"http://receiver.example:{there.port}/")
        )
    assert (outcome.verdict, inside.hit_count) == (Verdict.DELIVERED, 0)


async def test_a_name_server_that_never_answers_is_given_up() -> None:
    start_s = time.monotonic()
    outcome = await sink(Names(None)).deliver(delivery_to("http://receiver.example/"))
    assert time.monotonic() - start_s < ATTEMPT_S
    assert (outcome.verdict, outcome.is_host_failure) == (Verdict.RETRY, True)
    assert "nobody could tell the address" in outcome.error


@asynccontextmanager
async def delivering(
    folder: Path, settings: DeliverySettings
) -> AsyncIterator[tuple[SqliteOutbox, list[int]]]:
    """An outbox, and a dispatcher that delivers from it; which triggers were told to be gone."""
    gone: list[int] = []

    async def disable(delivery: Delivery) -> None:
        gone.append(delivery.trigger_id)

    async with outbox_in(folder) as outbox:
        dispatcher = Dispatcher(outbox, {"webhook": sink()}, settings, SystemClock(), disable)
        dispatcher.start()
        try:
            yield outbox, gone
        finally:
            await dispatcher.stop()


async def test_among_all_of_them_nothing_is_lost_and_nobody_else_is_held_up(
    tmp_path: Path,
) -> None:
    answer_count = 0

    async def flap(request: bytes, writer: asyncio.StreamWriter) -> None:
        nonlocal answer_count
        answer_count += 1
        await answering(500 if answer_count % 2 else 200)(request, writer)

    settings = DeliverySettings(retry_s=(0.05,) * 4, stop_s=0.1, per_account_max=12)
    now_us = SystemClock().now_us()
    async with (
        receiver(answering()) as good,
        receiver(flap) as flapping,
        receiver(silence) as slow,
        receiver(endless_body) as endless,
        receiver(answering(410)) as gone_away,
        delivering(tmp_path, settings) as (outbox, gone),
    ):
        urls = {
            1: good.url,
            2: flapping.url,
            3: slow.url,
            4: "http://127.0.0.1:1/dead",
            5: endless.url,
            6: gone_away.url,
            7: slow.url,
        }
        await outbox.record(
            "triggers",
            1,
            {},
            [
                new(trigger_id, url, body=b'{"n":%d}' % number, created_us=now_us)
                for number in range(40)
                for trigger_id, url in urls.items()
            ],
        )

        async def all_good() -> bool:
            return (await outbox.counts(trigger_id=1)).get(DeliveryState.DELIVERED) == 40

        await eventually(all_good)
        # Each of these takes the whole time that an attempt may take: far from done.
        assert (await outbox.counts(trigger_id=3))[DeliveryState.WAITING] > 20

        async def all_quick_ones() -> bool:
            counts = [await outbox.counts(trigger_id=trigger_id) for trigger_id in (2, 5, 6)]
            return all(DeliveryState.WAITING not in count for count in counts)

        await eventually(all_quick_ones)
        totals = [sum((await outbox.counts(trigger_id=n)).values()) for n in urls]
        assert totals == [40] * 7
        assert await outbox.counts(trigger_id=2) == {DeliveryState.DELIVERED: 40}
        assert await outbox.counts(trigger_id=5) == {DeliveryState.DELIVERED: 40}
        assert await outbox.counts(trigger_id=6) == {DeliveryState.DEAD: 40}
        assert gone == [6]
        assert slow.open_count_max <= 4
    assert numbers_of(good.requests) == list(range(40))
    flapped = numbers_of(flapping.requests)
    assert flapped == sorted(flapped), "each is repeated until it is there, then the next"


def numbers_of(requests: Sequence[bytes]) -> list[int]:
    return [int(request.rpartition(b"%3A")[2].removesuffix(b"%7D")) for request in requests]


async def test_connections_are_given_back(tmp_path: Path) -> None:
    there_is = sink()
    async with receiver(endless_body) as there:
        for _ in range(50):
            await there_is.deliver(delivery_to(there.url))
        soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        open_count = len(os.listdir("/proc/self/fd"))
    assert open_count < min(soft, 100)
