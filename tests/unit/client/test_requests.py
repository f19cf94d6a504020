"""Both clients against a server that fails in every way: what is sent again, and what is raised."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from tests.unit.client.scripted_server import Asked, Said, scripted_server

from thingtank.client import (
    AsyncClient,
    BadRequest,
    Client,
    ClientError,
    Forbidden,
    Invalid,
    NotFound,
    RateLimited,
    Refused,
    RetryPolicy,
    ServerFailed,
    Unavailable,
    Unreachable,
    UnreadableAnswer,
    http,
)

QUICK = RetryPolicy(attempts_max=3, wait_s_first=0.01, wait_s_max=0.02)
FEED = b'{"id":7,"title":"Roof"}'
GONE = Said(404, b'{"title":"Not found","errors":"There is no feed 7"}')
OK, CUT = Said(200), Said(0)

Doing = Callable[[Any], Any]


def run(url: str, doing: Doing, is_async: bool) -> Any:
    """Do something with one of the two clients."""
    if not is_async:
        with Client(url, "KEY", retries=QUICK, timeout_s=5.0) as client:
            return doing(client)

    async def work() -> Any:
        async with AsyncClient(url, "KEY", retries=QUICK, timeout_s=5.0) as client:
            found = doing(client)
            return await found if isinstance(found, Awaitable) else found

    return asyncio.run(work())


def get(client: Any) -> Any:
    return client.feeds.get(7)


def write(client: Any) -> Any:
    return client.feeds[7].datastreams["t"].write(1)


def create(client: Any) -> Any:
    return client.feeds.create("Roof")


def delete(client: Any) -> Any:
    return client.feeds.delete(7)


BUSY = Said(503, b'{"title":"Service Unavailable","errors":"full"}', {"Retry-After": "0"})
MADE = Said(201, b"", {"Location": "http://x/v2/feeds/12"})

# what is done, answers, requests that makes
WORKS = [
    (get, [Said(200, FEED)], 1),
    (get, [BUSY, Said(200, FEED)], 2),
    (get, [CUT, Said(200, FEED)], 2),
    (get, [Said(502, b"<html>"), Said(200, FEED)], 2),
    (write, [CUT, BUSY, OK], 3),
    (write, [Said(429, b"", {"Retry-After": "0"}), OK], 2),
    (write, [Said(403, b'{"title":"Rate limit exceeded"}', {"Retry-After": "0"}), OK], 2),
    (write, [GONE, OK], 2),  # the datastream is made by the feed's address
    (create, [BUSY, MADE], 2),
    (delete, [CUT, GONE], 2),  # the first had done it
    (delete, [OK], 1),
]


@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
@pytest.mark.parametrize(("doing", "answers", "count"), WORKS)
def test_safe_requests_are_sent_again_until_they_work(
    doing: Doing, answers: list[Said], count: int, is_async: bool
) -> None:
    with scripted_server(answers) as server:
        run(server.url, doing, is_async)
    assert len(server.asked) == count
    assert {asked.headers["X-ApiKey"] for asked in server.asked} == {"KEY"}


FAILS = [
    (get, [CUT], Unreachable, 3),
    (get, [BUSY], Unavailable, 3),
    (get, [Said(500, b'{"title":"Internal Server Error","errors":""}')], ServerFailed, 3),
    (get, [GONE], NotFound, 1),
    (delete, [GONE], NotFound, 1),
    (get, [Said(403, b'{"title":"Forbidden","errors":"no"}')], Forbidden, 1),
    (get, [Said(400, b'{"title":"Bad Request","errors":"no"}')], BadRequest, 1),
    (get, [Said(200, b"<html>")], UnreadableAnswer, 1),
    (get, [Said(302, b"", {"Location": "http://127.0.0.1:9/"})], Refused, 1),
    (get, [Said(429, b"", {"Retry-After": "999"})], RateLimited, 1),
    (create, [CUT], Unreachable, 1),  # it may have been made
    (create, [Said(500)], ServerFailed, 1),
    (create, [Said(201, b"", {"Location": "http://x/v2/feeds/"})], UnreadableAnswer, 1),
    (write, [Said(422, b'{"title":"Unprocessable Entity","errors":["a","b"]}')], Invalid, 1),
]


@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
@pytest.mark.parametrize(("doing", "answers", "kind", "count"), FAILS)
def test_what_does_not_work_is_raised_after_as_many_attempts_as_are_safe(
    doing: Doing, answers: list[Said], kind: type[ClientError], count: int, is_async: bool
) -> None:
    with scripted_server(answers) as server, pytest.raises(kind) as caught:
        run(server.url, doing, is_async)
    assert type(caught.value) is kind
    assert len(server.asked) == count


def test_a_refusal_carries_the_servers_words() -> None:
    said = Said(422, b'{"title":"Unprocessable Entity","errors":["Title can\'t be blank","b"]}')
    with scripted_server([said]) as server, pytest.raises(Invalid) as caught:
        run(server.url, create, False)
    error = caught.value
    assert (error.status, error.title) == (422, "Unprocessable Entity")
    assert error.errors == ("Title can't be blank", "b")
    assert error.is_from_api


def test_a_proxys_page_is_told_from_the_servers_word() -> None:
    with scripted_server([Said(404, b"<html>")]) as server, pytest.raises(NotFound) as caught:
        run(server.url, write, False)
    assert not caught.value.is_from_api
    assert len(server.asked) == 1  # nothing is made at a wrong address


def test_a_repeated_write_is_the_same_to_the_letter() -> None:
    with scripted_server([CUT, CUT, OK]) as server:
        run(server.url, write, False)
    bodies = {asked.body for asked in server.asked}
    assert len(bodies) == 1
    assert set(json.loads(bodies.pop())) == {"current_value", "at"}


@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
def test_an_endless_answer_is_cut_off(is_async: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    from thingtank.client import async_client, client

    for module in (client, async_client):
        monkeypatch.setattr(module, "ANSWER_BYTES_MAX", 1000)
    with (
        scripted_server([Said(200, b" " * 100_000)]) as server,
        pytest.raises(UnreadableAnswer, match="more than 1000 bytes"),
    ):
        run(server.url, get, is_async)
    assert http.ANSWER_BYTES_MAX > 1000


def test_an_id_that_ends_like_a_format_stays_whole() -> None:
    def answer(asked: Asked) -> Said:
        return Said(200, b'{"id":"my.xml"}')

    with scripted_server(answer) as server:
        run(server.url, lambda client: client.feeds[7].datastreams["my.xml"].get(), False)
    assert server.asked[0].path == "/v2/feeds/7/datastreams/my.xml.json"


def test_writing_many_is_as_few_requests_as_the_api_allows() -> None:
    import datetime as dt

    start = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)
    values = [(start + dt.timedelta(seconds=number), number) for number in range(1201)]
    with scripted_server([OK]) as server:
        run(server.url, lambda client: client.feeds[7].datastreams["t"].write_many(values), True)
    bodies = [json.loads(asked.body) for asked in server.asked]
    sent = [point for body in bodies[:2] for point in body["datapoints"]]
    assert [len(body.get("datapoints", [1])) for body in bodies] == [500, 500, 201]
    assert [point["value"] for point in sent] == [str(number) for number in range(1000)]
