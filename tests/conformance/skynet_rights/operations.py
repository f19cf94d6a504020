"""Everything that can be asked about a device, on each wire; `U` stands for its uuid.

Tests compare these tables with what the door has, so that none is forgotten.
"""

from typing import Any

from thingtank.doors.skynet.mqtt_topics.answers import ANSWERING
from thingtank.doors.skynet.raw_websocket import _HANDLERS
from thingtank.doors.skynet.rest.routes import ROUTES
from thingtank.doors.skynet.sockets.events.table import EVENTS

Request = tuple[str, str, Any]
Question = tuple[str, Any]

# Of routes that are not of a device, or that answer by the caller's own alone.
_ABOUT_NOBODY = {
    "/", "/status", "/ipaddress", "/healthcheck", "/publickey", "/authenticate", "/v2/whoami",
    "/localdevices", "/unclaimeddevices", "/broadcasts", "/inboundsms", "/subscribe",
}  # fmt: skip

# What takes a device's own token is asked in the way of 2014 by those who have none.
REST: dict[tuple[str, str], list[Request]] = {
    ("/authenticate/:uuid", "GET"): [("GET", "/authenticate/U", None)],
    ("/gateway/:uuid", "GET"): [("GET", "/gateway/U", None)],
    ("/devices", "GET"): [
        ("GET", "/devices?uuid=U", None),
        ("GET", "/devices?uuid=U&online=true", None),
        ("GET", "/devices?owner=U", None),
    ],
    ("/devices", "POST"): [],  # see `test_a_uuid_that_is_taken…`
    ("/devices/micro", "POST"): [],
    ("/devices/:uuid", "GET"): [("GET", "/devices/U", None), ("HEAD", "/devices/U", None)],
    ("/devices/:uuid", "PUT"): [
        ("PUT", "/devices/U", {"x": 1}),
        ("PUT", "/devices/U", {"online": "true"}),
        ("PUT", "/devices/U", {"x": 1, "action": "push"}),
        ("PUT", "/devices/U", {"x": 1, "action": "nothing"}),
    ],
    ("/devices/:uuid", "DELETE"): [("DELETE", "/devices/U", None)],
    ("/devices/:uuid/publickey", "GET"): [("GET", "/devices/U/publickey", None)],
    ("/mydevices", "GET"): [("GET", "/mydevices?uuid=U", None), ("GET", "/mydevices", None)],
    ("/mydevices/:uuid", "GET"): [("GET", "/mydevices/U", None)],
    ("/claimdevice/:uuid", "PUT"): [("PUT", "/claimdevice/U", None)],
    ("/claimdevice/:uuid", "POST"): [("POST", "/claimdevice/U", {"name": "mine"})],
    ("/devices/:uuid/token", "POST"): [("POST", "/devices/U/token", None)],
    ("/devices/:uuid/tokens", "POST"): [("POST", "/devices/U/tokens", {"tag": "t"})],
    ("/devices/:uuid/tokens", "DELETE"): [("DELETE", "/devices/U/tokens?tag=t", None)],
    ("/devices/:uuid/tokens/:token", "DELETE"): [("DELETE", "/devices/U/tokens/abc", None)],
    ("/search/tokens", "POST"): [("POST", "/search/tokens", {"uuid": "U"})],
    ("/messages", "POST"): [
        ("POST", "/messages", {"devices": "U", "payload": 1}),
        ("POST", "/messages", {"devices": ["U", "U/x"], "payload": 1, "receipts": True}),
        ("POST", "/messages", {"devices": "U", "message": {"a": 1}}),
    ],
    ("/gatewayConfig", "POST"): [("POST", "/gatewayConfig", {"uuid": "U", "method": "x"})],
    ("/gatewayconfig", "POST"): [("POST", "/gatewayconfig", {"uuid": "U", "method": "x"})],
    ("/events/:uuid", "GET"): [("GET", "/events/U", None)],
    ("/data/:uuid", "POST"): [("POST", "/data/U", {"t": 1}), ("POST", "/data/U", {})],
    ("/data/:uuid", "GET"): [("GET", "/data/U", None), ("GET", "/data/U?stream=true", None)],
    ("/subscribe/:uuid", "GET"): [("GET", "/subscribe/U", None)],
    ("/subscribe/:uuid/broadcast", "GET"): [("GET", "/subscribe/U/broadcast", None)],
    ("/subscribe/:uuid/received", "GET"): [("GET", "/subscribe/U/received", None)],
    ("/subscribe/:uuid/sent", "GET"): [("GET", "/subscribe/U/sent", None)],
    ("/v2/devices", "GET"): [("GET", "/v2/devices?uuid=U", None)],
    ("/v2/devices/:uuid", "GET"): [("GET", "/v2/devices/U", None)],
    ("/v3/devices/:uuid", "GET"): [("GET", "/v3/devices/U", None)],
    ("/v2/devices/:uuid", "PATCH"): [("PATCH", "/v2/devices/U", {"x": 1})],
    ("/v2/devices/:uuid", "PUT"): [
        ("PUT", "/v2/devices/U", {"$set": {"x": 1}}),
        ("PUT", "/v2/devices/U", {"$no": {"x": 1}}),
    ],
    ("/v2/devices/:uuid/find-and-update", "PUT"): [
        ("PUT", "/v2/devices/U/find-and-update", {"$set": {"x": 1}})
    ],
    ("/search/devices", "POST"): [
        ("POST", "/search/devices", {"uuid": "U"}),
        ("POST", "/search/devices", {"uuid": {"$in": ["U"]}}),
    ],
    ("/v2/devices/:uuid/subscriptions", "GET"): [("GET", "/v2/devices/U/subscriptions", None)],
    ("/v2/devices/:uuid/subscriptions", "DELETE"): [
        ("DELETE", "/v2/devices/U/subscriptions", None)
    ],
    ("/v2/devices/:uuid/subscriptions/:emitter/:type", "POST"): [
        ("POST", "/v2/devices/U/subscriptions/ME/broadcast", None),
        ("POST", "/v2/devices/ME/subscriptions/U/broadcast", None),
        ("GET", "/v2/devices/ME/subscriptions", None),
    ],
    ("/v2/devices/:uuid/subscriptions/:emitter/:type", "DELETE"): [
        ("DELETE", "/v2/devices/U/subscriptions/ME/broadcast", None),
        ("DELETE", "/v2/devices/ME/subscriptions/U/broadcast", None),
    ],
}
ROUTES_ABOUT_DEVICES = {route for route in ROUTES if route[0] not in _ABOUT_NOBODY}

_LISTENING = [{"uuid": "U", "types": [kind]} for kind in ("received", "sent", "config", "data")]
SOCKETIO: dict[str, list[Any]] = {
    "whoami": [{"uuid": "U"}],
    "device": [{"uuid": "U"}],
    "devices": [{"uuid": "U"}, {"uuid": "U", "online": False}],
    "mydevices": [{}, {"uuid": "U"}],
    "localdevices": [{"uuid": "U"}],
    "unclaimeddevices": [{"uuid": "U"}],
    "update": [{"uuid": "U", "x": 1}, {"uuid": "U", "x": 1, "action": "nothing"}],
    "claimdevice": [{"uuid": "U"}],
    "message": [
        {"devices": "U", "payload": 1},
        {"devices": ["U", "U/x"], "payload": 1, "receipts": True},
        {"devices": "U", "payload": 1, "ack": 5},
    ],
    "messageAck": [{"devices": "U", "ack": 1, "payload": 1}],
    "gatewayConfig": [{"uuid": "U", "method": "x"}],
    "gatewayConfigAck": [{"devices": "U", "ack": 1}],
    "subscribe": [{"uuid": "U"}, *_LISTENING],
    "unsubscribe": [{"uuid": "U"}],
    "data": [{"uuid": "U", "t": 1}, {"uuid": "U"}],
    "getdata": [{"uuid": "U"}],
    "events": [{"uuid": "U"}],
    "getPublicKey": [{"uuid": "U"}, "U"],
    "resetToken": [{"uuid": "U"}, "U"],
    "generateAndStoreToken": [{"uuid": "U", "tag": "t"}],
    "revokeToken": [{"uuid": "U", "token": "abc"}],
    "revokeTokenByQuery": [{"uuid": "U", "tag": "t"}],
    "unregister": [{"uuid": "U"}],
}
_SESSIONS = {"identity", "authenticate", "status", "register", "tb"}
EVENTS_ABOUT_DEVICES = set(EVENTS) - _SESSIONS

RAW: dict[str, list[Any]] = {
    "device": [{"uuid": "U"}],
    "devices": [{"uuid": "U"}],
    "mydevices": [{"uuid": "U"}],
    "message": [{"devices": ["U"], "payload": 1}],
    "subscribe": [{"uuid": "U"}, *_LISTENING],
    "unsubscribe": [{"uuid": "U"}],
    "update": [[{"uuid": "U"}, {"$set": {"x": 1}}], [{"uuid": "U"}, {"$no": {"x": 1}}]],
    "unregister": [{"uuid": "U"}],
    "whoami": [{"uuid": "U"}],
}
FRAMES_ABOUT_DEVICES = set(_HANDLERS)

MQTT: dict[str, list[Any]] = {
    "message": [{"devices": ["U"], "payload": 1}],
    "messageAck": [{"devices": "U", "ack": 1}],
    "directText": [{"devices": "U", "payload": "text"}],
    "config": [{"uuid": "U", "method": "x"}],
    "gatewayConfig": [{"uuid": "U", "method": "x"}],
    "data": [{"uuid": "U", "t": 1}, {"uuid": "U"}],
    "update": [{"uuid": "U", "x": 1}],
    "resetToken": [{"uuid": "U"}],
    "generateAndStoreToken": [{"uuid": "U"}],
    "getPublicKey": [{"uuid": "U"}],
}
TOPICS_ABOUT_DEVICES = set(ANSWERING) - {"whoami", "tb"}

# With a token that is wrong, or that is another's.
LEGACY_WITH_TOKEN: list[Request] = [
    ("GET", "/devices/U?token=T", None),
    ("PUT", "/devices/U", {"token": "T", "x": 1}),
    ("DELETE", "/devices/U?token=T", None),
    ("GET", "/mydevices/U?token=T", None),
    ("GET", "/events/U?token=T", None),
    ("GET", "/subscribe/U?token=T", None),
    ("GET", "/authenticate/U?token=T", None),
    ("GET", "/data/U?token=T", None),
    ("POST", "/data/U", {"token": "T", "t": 1}),
]
SOCKETIO_WITH_TOKEN: list[Question] = [
    ("authenticate", {"uuid": "U", "token": "T"}),
    ("subscribe", {"uuid": "U", "token": "T"}),
    ("update", {"uuid": "U", "token": "T", "x": 1}),
    ("events", {"uuid": "U", "token": "T"}),
    ("unregister", {"uuid": "U", "token": "T"}),
]
RAW_WITH_TOKEN: list[Question] = [
    ("subscribe", {"uuid": "U", "token": "T"}),
    ("device", {"uuid": "U", "token": "T"}),
    ("update", [{"uuid": "U", "token": "T"}, {"$set": {"x": 1}}]),
]
MQTT_WITH_TOKEN: list[Question] = [
    ("update", {"uuid": "U", "token": "T", "x": 1}),
    ("data", {"uuid": "U", "token": "T", "t": 1}),
]


def questions_of(wire: str) -> list[Question]:
    """All that can be asked over a socket."""
    table = {"WebSocket": RAW, "MQTT": MQTT}.get(wire, SOCKETIO)
    return [(name, body) for name, bodies in table.items() for body in bodies]


def questions_with_token(wire: str) -> list[Question]:
    """Likewise, with a token."""
    table = {"WebSocket": RAW_WITH_TOKEN, "MQTT": MQTT_WITH_TOKEN}
    return table.get(wire, SOCKETIO_WITH_TOKEN)


def about(value: Any, **names: str) -> Any:
    """A question with a uuid, a token or another name in it."""
    if isinstance(value, str):
        if value in names:
            return names[value]
        for name, text in names.items():
            value = value.replace(f"/{name}", f"/{text}").replace(f"={name}", f"={text}")
            value = value.replace(text + "/x", f"{text}/x")
        return names["U"] + value[1:] if value.startswith("U/") else value
    if isinstance(value, dict):
        return {name: about(each, **names) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(about(each, **names) for each in value)
    return value
