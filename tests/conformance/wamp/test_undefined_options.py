"""Options that a client in JavaScript leaves undefined: wampy.js sends them in MessagePack and CBOR.

JSON has no form for them and leaves them out; in the other two they are there, and mean the same.
"""

from typing import Any

import cbor2
import msgspec
import pytest
from tests.conformance.wamp.octets import octets

from thingtank.protocols.wamp.errors import ProtocolViolation
from thingtank.protocols.wamp.serializers import SERIALIZERS

UNDEFINED = {"msgpack": msgspec.msgpack.Ext(0, b"\0"), "cbor": cbor2.undefined}
ROLES = {"subscriber": {"features": {}}}
MESSAGES: dict[str, list[Any]] = {
    "SUBSCRIBE": [32, 1, {"match": ..., "get_retained": ..., "nkey": "a"}, "com.example.topic"],
    "PUBLISH": [16, 1, {"acknowledge": ..., "exclude_me": False}, "com.example.topic", [1]],
    "CALL": [48, 1, {"timeout": ..., "x_unknown": ...}, "com.example.procedure", [], {"a": 1}],
    "YIELD": [70, 1, {"progress": ...}, [[]]],
    "HELLO": [1, "realm1", {"roles": ROLES, "authid": ..., "authextra": {"a": ..., "b": [1]}}],
    "CANCEL": [49, 1, {"mode": ...}],
}


def filled(value: Any, undefined: Any) -> Any:
    """The value with something in place of what is left open."""
    if isinstance(value, dict):
        return {key: filled(member, undefined) for key, member in value.items()}
    if isinstance(value, list):
        return [filled(element, undefined) for element in value]
    return undefined if value is ... else value


def without(value: Any) -> Any:
    """The value without what is left open."""
    if isinstance(value, dict):
        return {key: without(member) for key, member in value.items() if member is not ...}
    if isinstance(value, list):
        return [without(element) for element in value]
    return value


@pytest.mark.parametrize("name", UNDEFINED)
@pytest.mark.parametrize("message", MESSAGES.values(), ids=MESSAGES)
def test_undefined_options_are_options_that_are_not_there(name: str, message: list[Any]) -> None:
    serializer = SERIALIZERS[name]
    sent = octets(name, filled(message, UNDEFINED[name]))
    assert serializer.decode(sent) == serializer.decode(octets(name, without(message)))


@pytest.mark.parametrize("name", UNDEFINED)
def test_undefined_elsewhere_is_a_violation_still(name: str) -> None:
    for message in (
        [32, 1, {}, ...],
        [32, 1, ..., "a.b"],
        [16, ..., {}, "a.b"],
        [32, 1, {}, "a", 1],
    ):
        with pytest.raises(ProtocolViolation):
            SERIALIZERS[name].decode(octets(name, filled(message, UNDEFINED[name])))


def test_other_extensions_in_options_are_a_violation_still() -> None:
    options = {"match": msgspec.msgpack.Ext(0, b"\0"), "x_y": msgspec.msgpack.Ext(5, b"")}
    with pytest.raises(ProtocolViolation):
        SERIALIZERS["msgpack"].decode(octets("msgpack", [32, 1, options, "a.b"]))


@pytest.mark.parametrize("cut", range(1, 30))
def test_a_cut_message_with_undefined_options_is_a_violation(cut: int) -> None:
    for name, undefined in UNDEFINED.items():
        whole = octets(name, filled(MESSAGES["SUBSCRIBE"], undefined))
        with pytest.raises(ProtocolViolation):
            SERIALIZERS[name].decode(whole[:-cut])
