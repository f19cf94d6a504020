"""Asks an app that takes requests whole, without sockets: as the HTTP server does with small ones."""

import asyncio

import httpx

from thingtank.net.http_request import DirectApp, Headers, RequestHead


class DirectTransport(httpx.AsyncBaseTransport):
    """Hands requests over; one head for all requests that repeat it, as a connection does."""

    def __init__(self, answer: DirectApp) -> None:
        self._answer = answer
        self._heads: dict[object, RequestHead] = {}

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        answered: asyncio.Future[httpx.Response] = asyncio.get_running_loop().create_future()

        def respond(status: int, headers: Headers, body: bytes) -> None:
            plain = [(bytes(name), value) for name, value in headers]
            answered.set_result(httpx.Response(status, headers=plain, content=body))

        raw_path, _, query = request.url.raw_path.partition(b"?")
        headers = {name.lower(): value for name, value in request.headers.raw}
        said = (request.method, request.url.raw_path, tuple(headers.items()))
        head = self._heads.get(said)
        if head is None:
            head = self._heads[said] = RequestHead(
                request.method, raw_path.decode("ascii"), query, headers, "http", "127.0.0.1"
            )
        self._answer(head, await request.aread(), respond)
        return await answered
