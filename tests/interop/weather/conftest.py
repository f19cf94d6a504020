"""A server with accounts that the Station REST API knows apart."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
import requests
from tests.database_servers import KINDS, server_on
from tests.live_server import LiveServer

PASSWORD = "thirty degrees"
ADMIN = "arshdeep"  # the book's
READING = {
    "name": "CityName",
    "timestamp": "1393926310",
    "temperature": "28",
    "lat": "30.733315",
    "lon": "76.779418",
}


class Weather(NamedTuple):
    """A running server, and sessions of an admin and of somebody else that are signed in."""

    server: LiveServer
    admin: requests.Session
    other: requests.Session

    @property
    def url(self) -> str:
        return self.server.url


@pytest.fixture(scope="session", params=["sqlite", *KINDS])
def weather(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Weather]:
    with server_on(request.param, tmp_path_factory) as server:
        server.command("user", "create", ADMIN, "--admin", "--password", PASSWORD)
        server.command("user", "create", "reader", "--password", PASSWORD)
        yield Weather(server, signed_in(server, ADMIN), signed_in(server, "reader"))


def signed_in(server: LiveServer, name: str) -> requests.Session:
    session = requests.Session()
    session.get(f"{server.url}/sign-in", timeout=20)
    form = {"username": name, "password": PASSWORD, "csrfmiddlewaretoken": csrf_of(session)}
    answer = session.post(f"{server.url}/sign-in", data=form, timeout=20)
    assert answer.url == f"{server.url}/", answer.text
    return session


def csrf_of(session: requests.Session) -> str:
    return next(cookie.value or "" for cookie in session.cookies if "csrf" in cookie.name)


def as_admin(weather: Weather, method: str, path: str, **options: Any) -> requests.Response:
    """By the session of a browser, which needs the token of its forms."""
    headers = {"X-CSRFToken": csrf_of(weather.admin), **options.pop("headers", {})}
    url = weather.url + path
    return weather.admin.request(method, url, headers=headers, timeout=20, **options)
