"""What a device has sent on: hooks post to web addresses, forwards send to other devices.

They are properties of the device, in its object `meshblu`:

| property | what is sent on |
| --- | --- |
| `messageHooks`, `messageForward` | messages that it receives |
| `configHooks`, `configForward` | its record, when it changes |
| `forwarders.<type>` | what the type names, by `{"type": "webhook"}` or `{"type": "meshblu"}` |

A copy that was forwarded lists in `forwardedFor` who has forwarded it, so none goes in circles. A
device that gets several copies of one message sends the first one on: devices that all forward to
each other would make millions of copies otherwise.

Source: Meshblu 1.18, `lib/MessageWebhook` and forwarding; meshblu-core 1 for the longer types.
"""

import base64
import re
from collections.abc import Iterator, Mapping
from typing import Any, Literal, TypeGuard

from msgspec import Struct

from thingtank.tank.targets import URL_CHARS_MAX
from thingtank.tank.things import Device

HOOKS_MAX = 10  # of one device, for one kind
# Devices that have forwarded a message. Each may forward it to HOOKS_MAX others, so with every one
# more there are up to that many times as many copies.
CHAIN_MAX = 4
CONTENT_BYTES_MAX = 131_072
HEADERS_MAX = 20
HEADER_CHARS_MAX = 4096

HookKind = Literal["received", "sent", "broadcast", "config"]
METHODS = ("POST", "PUT", "PATCH", "DELETE", "GET")

# The names of a type, as Meshblu's generations have them; the first is what receivers are told.
_TYPES: dict[HookKind, tuple[str, ...]] = {
    "received": ("received", "message.received"),
    "sent": ("sent", "message.sent"),
    "broadcast": ("broadcast", "broadcast.sent"),
    "config": ("config", "configure.sent"),
}
_LISTS: dict[HookKind, tuple[str, str]] = {
    "received": ("messageHooks", "messageForward"),
    "config": ("configHooks", "configForward"),
}
_FORWARDERS = "forwarders."
_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+\Z")
_HEADER_VALUE = re.compile(r"[\x20-\x7e]*\Z")
# What the request itself says, and what only this server may.
_OWN_HEADERS = frozenset(
    {
        "connection", "content-length", "date", "expect", "host", "keep-alive", "signature", "te",
        "trailer", "transfer-encoding", "upgrade", "webhook-id", "x-meshblu-message-type",
        "x-meshblu-uuid",
    }
)  # fmt: skip


class Hook(Struct, frozen=True):
    """One place that something is sent on to.

    Attributes:
        list_name: the property that it stands in, such as `messageHooks` or `forwarders.received`.
        type: what the receiver is told that it gets.
        target: a URL; of a forward a uuid, or `*` for a broadcast.
        is_forward: whether it goes to devices.
        headers: as asked for; may hold secrets.
        lends_token: whether the receiver gets a token of the device, good for this one request.
        signs: whether the request is signed with this server's key.
    """

    list_name: str
    type: str
    target: str
    is_forward: bool
    method: str = "POST"
    headers: Mapping[str, str] = {}
    lends_token: bool = False
    signs: bool = False

    def __repr__(self) -> str:
        return f"Hook(list_name={self.list_name!r}, is_forward={self.is_forward})"


class SentOn(Struct, frozen=True):
    """What is to be sent on, as the outbox keeps it; how, the device says when it is tried.

    Attributes:
        list_name, type: as of the hook.
        content: a message, or the device's record.
        origin: the message's; blank for a record.
    """

    list_name: str
    type: str
    content: Any
    origin: str = ""


def has_hooks(device: Device) -> bool:
    """Whether a closer look may find any."""
    return "meshblu" in device.properties


def hooks_of(device: Device, kind: HookKind) -> list[Hook]:
    """Where a device has a kind of thing sent on to; at most HOOKS_MAX, each place once."""
    meshblu = device.properties.get("meshblu")
    if not isinstance(meshblu, dict):
        return []
    found: dict[tuple[str, str], Hook] = {}
    for hook in _all_of(meshblu, kind):
        found.setdefault((hook.list_name, hook.target), hook)
    return list(found.values())[:HOOKS_MAX]


def find_hook(device: Device, list_name: str, type_: str, target: str) -> Hook | None:
    """A hook as the device has it now; None if it has it no more."""
    for kind, types in _TYPES.items():
        if type_ in types:
            for hook in hooks_of(device, kind):
                if (hook.list_name, hook.target) == (list_name, target):
                    return hook
    return None


def chain_of(content: Mapping[str, Any]) -> list[str]:
    """Who has forwarded a message, the first one first."""
    chain = content.get("forwardedFor")
    return [uuid for uuid in chain if isinstance(uuid, str)] if isinstance(chain, list) else []


def may_send_on(content: Mapping[str, Any], uuid: str) -> bool:
    """Whether a device may send a message on: it has not yet, and not too many others have."""
    chain = chain_of(content)
    return len(chain) < CHAIN_MAX and uuid not in chain


def forwarded(content: Mapping[str, Any], uuid: str, target: str) -> dict[str, Any]:
    """A message as a device forwards it.

    Args:
        target: a uuid, or `*`.
    """
    chain = [*chain_of(content), uuid]
    return {**content, "devices": "*" if target == "*" else [target], "forwardedFor": chain}


def _all_of(meshblu: Mapping[str, Any], kind: HookKind) -> Iterator[Hook]:
    type_ = _TYPES[kind][0]
    if kind in _LISTS:
        hooks_name, forwards_name = _LISTS[kind]
        for options in _list(meshblu.get(hooks_name)):
            yield from _web_hook(hooks_name, type_, options)
        for given in _list(meshblu.get(forwards_name)):
            uuid = given.get("uuid") if isinstance(given, dict) else given
            if _is_target(uuid):
                yield Hook(forwards_name, type_, uuid, is_forward=True)
    for name in _TYPES[kind]:
        for options in _list(_forwarders(meshblu.get("forwarders"), name)):
            yield from _forwarder(_FORWARDERS + name, name, options)


def _forwarders(forwarders: Any, name: str) -> Any:
    """The list of a type, which stands under its name or under each part of it."""
    if not isinstance(forwarders, dict):
        return None
    if name in forwarders:
        return forwarders[name]
    found: Any = forwarders
    for part in name.split("."):
        found = found.get(part) if isinstance(found, dict) else None
    return found


def _forwarder(list_name: str, type_: str, options: Any) -> Iterator[Hook]:
    if not isinstance(options, dict):
        return
    if options.get("type", "webhook") == "webhook":
        yield from _web_hook(list_name, type_, options)
    elif options["type"] == "meshblu":
        uuid = options.get("uuid", "*")
        if _is_target(uuid):
            yield Hook(list_name, type_, uuid, is_forward=True)


def _web_hook(list_name: str, type_: str, options: Any) -> Iterator[Hook]:
    if not isinstance(options, dict):
        return
    url, method = options.get("url"), str(options.get("method", "POST")).upper()
    if _is_target(url) and method in METHODS:
        yield Hook(
            list_name,
            type_,
            url,
            is_forward=False,
            method=method,
            headers=_headers(options.get("headers")) | _authorization(options.get("auth")),
            lends_token=options.get("generateAndForwardMeshbluCredentials") is True,
            signs=options.get("signRequest") is True,
        )


def _is_target(given: Any) -> TypeGuard[str]:
    """Whether it is a text that can be written down."""
    if not isinstance(given, str) or not 0 < len(given) <= URL_CHARS_MAX:
        return False
    try:
        given.encode()
    except UnicodeEncodeError:  # half a character
        return False
    return True


def _headers(given: Any) -> dict[str, str]:
    """Headers that may be sent as they are, names in lower case; others are left out."""
    if not isinstance(given, dict):
        return {}
    headers: dict[str, str] = {}
    chars = 0
    for name, value in given.items():
        text = str(value) if isinstance(value, int | float | str) else ""
        chars += len(name) + len(text)
        if len(headers) == HEADERS_MAX or chars > HEADER_CHARS_MAX:
            break
        is_fine = _HEADER_NAME.match(name) and _HEADER_VALUE.match(text)
        if is_fine and name.lower() not in _OWN_HEADERS:
            headers[name.lower()] = text
    return headers


def _authorization(auth: Any) -> dict[str, str]:
    """The header of `auth`: `{"bearer"}`, `{"user", "pass"}` or `{"username", "password"}`."""
    if not isinstance(auth, dict):
        return {}
    bearer = auth.get("bearer")
    if isinstance(bearer, str) and _HEADER_VALUE.match(bearer):
        return {"authorization": f"Bearer {bearer}"}
    user = auth.get("user", auth.get("username"))
    if not isinstance(user, str):
        return {}
    password = auth.get("pass", auth.get("password", ""))
    return {"authorization": basic_authorization(user, str(password))}


def basic_authorization(user: str, password: str) -> str:
    """The value of a header `Authorization`.

    Source: RFC 7617.
    """
    pair = f"{user}:{password}".encode(errors="replace")
    return "Basic " + base64.b64encode(pair).decode()


def _list(given: Any) -> list[Any]:
    return given if isinstance(given, list) else []
