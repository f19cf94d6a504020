"""What a webhook sends, and what it makes of honest answers."""

import asyncio
import base64
import datetime
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
from standardwebhooks import Webhook
from tests.certificates import make_certificate
from tests.deliveries import NOW, Receiver, S, answering, delivery_to, receiver

from thingtank.sinks import resolver as module
from thingtank.sinks.http_attempts import _retry_after_s
from thingtank.sinks.outcome import Outcome, Verdict
from thingtank.sinks.resolver import ResolveFailed, SystemResolver
from thingtank.sinks.settings import WebhookSettings
from thingtank.sinks.webhooks import WebhookSink
from thingtank.tank.tank import SystemClock

LOOPBACK = WebhookSettings(allowed_networks=("127.0.0.1/32",), attempt_s_max=5)


class StaticResolver:
    """Answers from a table, and remembers what it was asked."""

    def __init__(self, table: dict[str, Sequence[str]]) -> None:
        self._table = table
        self.asked: list[str] = []

    async def resolve(self, host: str) -> Sequence[str]:
        self.asked.append(host)
        if host not in self._table:
            raise ResolveFailed(f"the name {host} has no address")
        return self._table[host]


LOCAL_NAMES = {"receiver.example": ["127.0.0.1"], "127.0.0.1": ["127.0.0.1"]}


async def secrets_of(account_id: int, now_us: int) -> Sequence[bytes]:
    return [f"secret of account {account_id}".encode()]


def sink(
    settings: WebhookSettings = LOOPBACK, names: dict[str, Sequence[str]] | None = None
) -> WebhookSink:
    resolver = StaticResolver(LOCAL_NAMES if names is None else names)
    return WebhookSink(settings, resolver, secrets_of, SystemClock())


async def test_the_request_is_what_old_receivers_expect_and_new_ones_verify() -> None:
    async with receiver(answering(204, body=b"")) as there:
        outcome = await sink().deliver(delivery_to(there.url + "?k=1"))
    assert outcome == Outcome(Verdict.DELIVERED, 204)
    head, _, body = there.requests[0].partition(b"\r\n\r\n")
    line, *lines = head.decode().split("\r\n")
    headers = {name.lower(): value for name, value in (x.split(": ", 1) for x in lines)}
    assert line == "POST /hook?k=1 HTTP/1.1"
    assert headers["host"] == f"127.0.0.1:{there.port}"
    assert headers["content-type"] == "application/x-www-form-urlencoded"
    assert int(headers["content-length"]) == len(body)
    assert "transfer-encoding" not in headers
    assert body.startswith(b"body=%7B%22id%22%3A1%2C")
    assert b"Roof%20%26%20more" in body
    assert headers["webhook-id"] == "msg_abc"
    Webhook(b"secret of account 1").verify(body, headers, json_parse=False)


async def test_credentials_of_the_url_are_sent_as_such_and_nowhere_else() -> None:
    async with receiver(answering(500)) as there:
        url = f"http://user:pa%20ss@receiver.example:{there.port}/token"
        outcome = await sink().deliver(delivery_to(url))
    request = there.requests[0].decode()
    assert f"Authorization: Basic {base64.b64encode(b'user:pa ss').decode()}" in request
    assert request.startswith("POST /token HTTP/1.1")
    assert "pa ss" not in outcome.error + request
    assert "token" not in outcome.error


async def test_the_environments_proxy_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    async with receiver(answering(), "127.0.0.1") as proxy, receiver(answering()) as there:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        assert (await sink().deliver(delivery_to(there.url))).verdict is Verdict.DELIVERED
    assert (len(there.requests), proxy.requests) == (1, [])


@pytest.mark.parametrize(
    ("status", "verdict", "words"),
    [
        (200, Verdict.DELIVERED, ""), (201, Verdict.DELIVERED, ""), (299, Verdict.DELIVERED, ""),
        (301, Verdict.RETRY, "redirect"), (302, Verdict.RETRY, "redirect"), (307, Verdict.RETRY, "redirect"),
        (400, Verdict.RETRY, "answered 400"), (404, Verdict.RETRY, "answered 404"),
        (410, Verdict.GONE, "410 Gone"), (500, Verdict.RETRY, "answered 500"), (599, Verdict.RETRY, "answered 599"),
    ],
)  # fmt: skip
async def test_the_status_decides(status: int, verdict: Verdict, words: str) -> None:
    async with receiver(answering(status, body=b"said so")) as there:
        outcome = await sink().deliver(delivery_to(there.url))
    assert (outcome.verdict, outcome.status, outcome.answer) == (verdict, status, b"said so")
    assert words in outcome.error
    assert not outcome.is_host_failure


@pytest.mark.parametrize("status", [429, 503])
async def test_a_busy_receiver_says_when_within_bounds(status: int) -> None:
    for value, pause_s in (
        ("120", 120),
        ("999999", 86_400),
        ("9" * 50, 86_400),
        ("soon", 0),
        ("-5", 0),
    ):
        async with receiver(answering(status, f"Retry-After: {value}\r\n")) as there:
            outcome = await sink().deliver(delivery_to(there.url))
        assert (outcome.verdict, outcome.retry_after_s) == (Verdict.RETRY, pause_s)


def test_a_busy_receiver_may_say_a_date() -> None:
    at = datetime.datetime.fromtimestamp(NOW / S + 90, datetime.UTC)
    assert _retry_after_s(at.strftime("%a, %d %b %Y %H:%M:%S GMT"), NOW) == 90
    assert _retry_after_s("Mon, 01 Jan 2001 00:00:00 GMT", NOW) == 0
    for nonsense in (
        "",
        "1e9",
        "٣",
        "Mon, 99 Foo 2001",
        "Mon, 01 Jan 99999 00:00:00 GMT",
    ):
        assert _retry_after_s(nonsense, NOW) == 0


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://receiver.example:1/", "no connection"),
        ("http://nowhere.example/", "has no address"),
    ],
)
async def test_a_receiver_that_is_not_there_is_a_host_failure(url: str, words: str) -> None:
    outcome = await sink().deliver(delivery_to(url))
    assert (outcome.verdict, outcome.status, outcome.is_host_failure) == (Verdict.RETRY, None, True)
    assert words in outcome.error


async def test_a_url_that_is_none_is_refused_for_good() -> None:
    outcome = await sink().deliver(delivery_to("ftp://receiver.example/secret"))
    assert outcome.verdict is Verdict.REFUSED
    assert "secret" not in outcome.error


async def test_the_next_address_is_tried_when_the_first_does_not_answer() -> None:
    names = {"receiver.example": ["127.0.0.9", "127.0.0.1"]}
    settings = WebhookSettings(allowed_networks=("127.0.0.0/8",))
    async with receiver(answering()) as there:
        url = f"http://receiver.example:{there.port}/"
        assert (await sink(settings, names).deliver(delivery_to(url))).verdict is Verdict.DELIVERED


@pytest.mark.parametrize(
    ("name", "trusted", "verdict"),
    [
        ("receiver.example", True, Verdict.DELIVERED),
        ("another.example", True, Verdict.RETRY),
        ("receiver.example", False, Verdict.RETRY),
    ],
)
async def test_tls_asks_for_the_urls_name_at_the_pinned_address(
    tmp_path: Path, name: str, trusted: bool, verdict: Verdict
) -> None:
    there = Receiver(answering())
    context = make_certificate(tmp_path, name)
    server = await asyncio.start_server(there.serve, "127.0.0.1", 0, ssl=context)
    port = server.sockets[0].getsockname()[1]
    settings = WebhookSettings(
        allowed_networks=("127.0.0.1/32",), ca_file=str(tmp_path / "ca.pem") if trusted else ""
    )
    url = f"https://receiver.example:{port}/"
    outcome = await sink(settings).deliver(delivery_to(url))
    server.close()
    assert outcome.verdict is verdict
    assert ("certificate" in outcome.error.lower()) == (verdict is Verdict.RETRY)
    assert len(there.requests) == (verdict is Verdict.DELIVERED)


async def test_the_systems_resolver_knows_odd_spellings_and_says_what_it_does_not_know() -> None:
    resolver = SystemResolver()
    try:
        assert await resolver.resolve("127.1") == ["127.0.0.1"]
        assert await resolver.resolve("0x7f000001") == ["127.0.0.1"]
        assert await resolver.resolve("2130706433") == ["127.0.0.1"]
        with pytest.raises(ResolveFailed, match="has no address"):
            await resolver.resolve("x.invalid")
    finally:
        resolver.close()


async def test_a_name_is_asked_for_once_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def slow(host: str) -> list[str]:
        asked.append(host)
        time.sleep(0.1)
        return ["127.0.0.1"]

    monkeypatch.setattr(module, "_look_up", slow)
    resolver = SystemResolver()
    try:
        first = asyncio.create_task(resolver.resolve("a.example"))
        await asyncio.sleep(0)
        rest = [asyncio.create_task(resolver.resolve("a.example")) for _ in range(100)]
        await asyncio.sleep(0)
        first.cancel()  # who gives up leaves it to the others
        assert await asyncio.gather(*rest) == [["127.0.0.1"]] * 100
        assert asked == ["a.example"]
    finally:
        resolver.close()
