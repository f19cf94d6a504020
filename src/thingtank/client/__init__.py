"""A client for Thing Tank, and for anything else that speaks Xively's API v2.

    from thingtank.client import Client

    with Client("http://127.0.0.1:8000", api_key) as client:
        client.feeds[7].datastreams["temperature"].write(21.5)

It needs the extra `thingtank[client]` and loads nothing of the server.
"""

try:
    import httpx as _httpx  # noqa: F401 - here, so that its absence is told in clear words
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        "thingtank.client needs more packages: pip install 'thingtank[client]'"
    ) from error

from thingtank.client.async_client import AsyncClient
from thingtank.client.async_writer import AsyncBufferedWriter
from thingtank.client.buffered_writer import BufferedWriter, BufferState
from thingtank.client.client import Client
from thingtank.client.errors import (
    BadRequest,
    BufferFailed,
    BufferFull,
    ClientError,
    Forbidden,
    Invalid,
    NotFound,
    RateLimited,
    Refused,
    ServerFailed,
    Unauthorized,
    Unavailable,
    Unreachable,
    UnreadableAnswer,
)
from thingtank.client.models import Datapoint, Datastream, Feed, Location, Unit
from thingtank.client.retries import NEVER_AGAIN, RetryPolicy
from thingtank.client.spool import RejectedValue

__all__ = [
    "NEVER_AGAIN",
    "AsyncBufferedWriter",
    "AsyncClient",
    "BadRequest",
    "BufferFailed",
    "BufferFull",
    "BufferState",
    "BufferedWriter",
    "Client",
    "ClientError",
    "Datapoint",
    "Datastream",
    "Feed",
    "Forbidden",
    "Invalid",
    "Location",
    "NotFound",
    "RateLimited",
    "Refused",
    "RejectedValue",
    "RetryPolicy",
    "ServerFailed",
    "Unauthorized",
    "Unavailable",
    "Unit",
    "Unreachable",
    "UnreadableAnswer",
]
