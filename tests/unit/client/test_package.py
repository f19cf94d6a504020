"""The library stands alone, and its two clients are one."""

import inspect
import subprocess
import sys

import pytest

import thingtank.client as library
from thingtank.client import async_client, async_writer, buffered_writer, client
from thingtank.client.http import ClientSettings
from thingtank.client.retries import RetryPolicy

HEAVY = ["django", "duckdb", "numpy", "pandas", "polars", "structlog", "uvloop", "starlette"]
HEAVY += ["uvicorn", "picows", "aiohttp", "cryptography", "matplotlib", "thingtank.tank"]
HEAVY += ["thingtank.protocols", "thingtank.net", "thingtank.server"]


def test_it_loads_nothing_of_the_server() -> None:
    program = (
        "import sys, thingtank.client, thingtank.client.subscription,"
        " thingtank.client.async_subscription\n"
        f"print([name for name in {HEAVY} if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.strip() == "[]"


PAIRS = [
    (client.Client, async_client.AsyncClient),
    (client.Feeds, async_client.AsyncFeeds),
    (client.FeedClient, async_client.AsyncFeedClient),
    (client.Datastreams, async_client.AsyncDatastreams),
    (client.DatastreamClient, async_client.AsyncDatastreamClient),
    (client.History, async_client.AsyncHistory),
    (buffered_writer.BufferedWriter, async_writer.AsyncBufferedWriter),
]


def methods(kind: type) -> dict[str, list[tuple[str, object]]]:
    return {
        name: [(p.name, p.default) for p in inspect.signature(member).parameters.values()]
        for name, member in vars(kind).items()
        if not name.startswith("_") and callable(member)
    }


@pytest.mark.parametrize(("kind", "async_kind"), PAIRS, ids=lambda kind: kind.__name__)
def test_the_asynchronous_twin_has_the_same_names(kind: type, async_kind: type) -> None:
    assert methods(kind) == methods(async_kind)


@pytest.mark.parametrize(
    ("url", "api_key"),
    [
        ("tank.example", "k"),
        ("ftp://tank.example", "k"),
        ("http://", "k"),
        ("http://tank.example/?a=1", "k"),
        ("http://user@tank.example", "k"),
        ("http://tank.example", ""),
        ("http://tank.example", "a\r\nb"),
        ("http://tank.example", "ключ"),
    ],
)
def test_an_address_or_key_that_cannot_be_is_refused_without_telling_the_key(
    url: str, api_key: str
) -> None:
    with pytest.raises(ValueError, match=r"address|key") as caught:
        library.Client(url, api_key)
    assert len(api_key) < 2 or api_key not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "socket_url"),
    [
        ("http://127.0.0.1:8000", "ws://127.0.0.1:8080/"),
        ("https://tank.example", "wss://tank.example:8094/"),
        ("http://[::1]:8000", "ws://[::1]:8080/"),
    ],
)
def test_the_socket_is_beside_the_web_port(url: str, socket_url: str) -> None:
    settings = ClientSettings(url, "k", None, 10.0, RetryPolicy(), True)
    assert settings.socket_url == socket_url


def test_nothing_that_is_printed_shows_the_key() -> None:
    with library.Client("http://127.0.0.1:1", "SECRET") as made:
        shown = [repr(made), repr(made.settings), repr(made.feeds[7]), str(made.settings)]
        with pytest.raises(library.Unreachable) as caught:
            made.send(library.client.calls.get_feed(7), library.NEVER_AGAIN)
        shown += [repr(caught.value), str(caught.value)]
    assert not [text for text in shown if "SECRET" in text]
