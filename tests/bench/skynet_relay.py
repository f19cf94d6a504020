"""A bare relay on python-socketio and uvicorn: no tokens, no permissions, nothing kept.

`python skynet_relay.py PORT`. It speaks as much of SkyNet as the load generator of the bench needs:
`identity`, `subscribe` and `message` over Engine.IO 4, and POST /messages.
"""

import json
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import socketio
import uvicorn

server = socketio.AsyncServer(async_mode="asgi", always_connect=True)
uuids: dict[str, str] = {}


@server.event
async def connect(sid: str, _environ: object) -> None:
    await server.emit("identify", {"socketid": sid}, to=sid)


@server.event
async def identity(sid: str, device: dict[str, str]) -> None:
    uuids[sid] = device["uuid"]
    await server.enter_room(sid, device["uuid"])
    await server.emit("ready", {"status": 201, "uuid": device["uuid"]}, to=sid)


@server.event
async def subscribe(sid: str, emitter: dict[str, str]) -> dict[str, bool]:
    await server.enter_room(sid, f"{emitter['uuid']}_bc")
    return {"result": True}


@server.event
async def message(sid: str, sent: dict[str, Any]) -> None:
    await pass_on(uuids[sid], sent)


@server.event
async def disconnect(sid: str, _reason: object = None) -> None:
    uuids.pop(sid, None)


async def pass_on(from_uuid: str, sent: dict[str, Any]) -> None:
    room = sent["devices"] if sent["devices"] != "*" else f"{from_uuid}_bc"
    await server.emit("message", {**sent, "fromUuid": from_uuid}, room=room)


async def post_messages(
    scope: dict[str, Any],
    receive: Callable[[], Awaitable[dict[str, Any]]],
    send: Callable[[dict[str, Any]], Awaitable[None]],
) -> None:
    parts, has_more = [], scope["type"] == "http"
    while has_more:
        part = await receive()
        parts.append(part.get("body", b""))
        has_more = part.get("more_body", False)
    sent = json.loads(b"".join(parts))
    await pass_on(dict(scope["headers"])[b"meshblu_auth_uuid"].decode(), sent)
    body = json.dumps(sent).encode()
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
    ]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


if __name__ == "__main__":
    app = socketio.ASGIApp(server, other_asgi_app=post_messages)
    uvicorn.run(
        app,
        host="127.0.0.1",
        port=int(sys.argv[1]),
        lifespan="off",
        log_level="error",
        backlog=2048,
    )
