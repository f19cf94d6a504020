"""What requests under /socket.io/ ask for. Source: Engine.IO, Query parameters, Handshake."""

import json

import pytest

from thingtank.protocols.engineio.errors import (
    BAD_HANDSHAKE_METHOD,
    BAD_REQUEST,
    PAYLOAD_TOO_LONG,
    SESSION_UNKNOWN,
    TRANSPORT_UNKNOWN,
    UNSUPPORTED_REVISION,
    Refusal,
)
from thingtank.protocols.engineio.requests import Continuation, Handshake, read_request
from thingtank.protocols.engineio.session import Transport

POLLING, WEBSOCKET = Transport.POLLING, Transport.WEBSOCKET
REQUESTS = [
    ("opens-polling-4", "EIO=4 transport=polling t=N8hyd6w", "GET", Handshake(4, POLLING, False)),
    ("opens-polling-3", "EIO=3 transport=polling", "GET", Handshake(3, POLLING, False)),
    ("opens-polling-3-base64", "EIO=3 transport=polling b64=1", "GET", Handshake(3, POLLING, True)),
    ("opens-polling-2", "EIO=2 transport=polling", "GET", Handshake(2, POLLING, False)),
    ("opens-websocket-4", "EIO=4 transport=websocket", "WS", Handshake(4, WEBSOCKET, False)),
    ("opens-websocket-3", "EIO=3 transport=websocket", "WS", Handshake(3, WEBSOCKET, False)),
    ("polls", "EIO=4 transport=polling sid=abc", "GET", Continuation("abc", POLLING)),
    ("posts", "EIO=4 transport=polling sid=abc", "POST", Continuation("abc", POLLING)),
    ("upgrades", "EIO=4 transport=websocket sid=abc", "WS", Continuation("abc", WEBSOCKET)),
    ("revision-missing", "transport=polling", "GET", UNSUPPORTED_REVISION),
    ("revision-is-no-number", "EIO=abc transport=polling", "GET", UNSUPPORTED_REVISION),
    ("revision-1", "EIO=1 transport=polling", "GET", UNSUPPORTED_REVISION),
    ("revision-5", "EIO=5 transport=polling", "GET", UNSUPPORTED_REVISION),
    ("transport-missing", "EIO=4", "GET", TRANSPORT_UNKNOWN),
    ("transport-unknown", "EIO=4 transport=abc", "GET", TRANSPORT_UNKNOWN),
    ("transport-unknown-websocket", "EIO=4 transport=abc", "WS", TRANSPORT_UNKNOWN),
    ("opens-by-post", "EIO=4 transport=polling", "POST", BAD_HANDSHAKE_METHOD),
    ("opens-by-put", "EIO=4 transport=polling", "PUT", BAD_HANDSHAKE_METHOD),
    ("puts", "EIO=4 transport=polling sid=abc", "PUT", BAD_REQUEST),
    ("websocket-without-upgrade", "EIO=4 transport=websocket", "GET", BAD_REQUEST),
    ("polling-with-upgrade", "EIO=4 transport=polling", "WS", BAD_REQUEST),
]


@pytest.mark.parametrize(
    ("query", "method", "meaning"), [case[1:] for case in REQUESTS], ids=[c[0] for c in REQUESTS]
)
def test_request_asks_for(query: str, method: str, meaning: object) -> None:
    values = dict(pair.split("=") for pair in query.split())
    is_websocket = method == "WS"
    assert (
        read_request(values, "GET" if is_websocket else method, is_websocket=is_websocket)
        == meaning
    )


@pytest.mark.parametrize(
    ("refusal", "status", "body"),
    [
        (TRANSPORT_UNKNOWN, 400, {"code": 0, "message": "Transport unknown"}),
        (SESSION_UNKNOWN, 400, {"code": 1, "message": "Session ID unknown"}),
        (BAD_HANDSHAKE_METHOD, 400, {"code": 2, "message": "Bad handshake method"}),
        (BAD_REQUEST, 400, {"code": 3, "message": "Bad request"}),
        (UNSUPPORTED_REVISION, 400, {"code": 5, "message": "Unsupported protocol version"}),
        (PAYLOAD_TOO_LONG, 413, {"code": 3, "message": "Payload too large"}),
    ],
)
def test_refusals_have_the_words_of_the_reference_server(
    refusal: Refusal, status: int, body: object
) -> None:
    assert refusal.status == status
    assert json.loads(refusal.body) == body
