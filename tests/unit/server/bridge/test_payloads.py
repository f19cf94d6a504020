"""Arguments in octets and back."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from thingtank.protocols.mqtt.messages import Message
from thingtank.protocols.mqtt.properties import Properties, forwarded_properties
from thingtank.protocols.wamp.errors import UnconvertiblePayload
from thingtank.protocols.wamp.payloads import payload_of
from thingtank.protocols.wamp.serializer import DEPTH_MAX
from thingtank.protocols.wamp.serializers import CBOR, JSON, MSGPACK
from thingtank.server.bridge.payloads import arguments_of, octets_from, octets_of, payload_from

JSON_TYPE = "application/json"


@pytest.mark.parametrize(
    ("args", "kwargs", "octets", "content_type"),
    [
        ([], {}, b"", ""),
        ([""], {}, b"", "text/plain"),
        (["ü"], {}, b"\xc3\xbc", "text/plain"),
        (["21.5"], {}, b"21.5", "text/plain"),
        ([b"\xff"], {}, b"\xff", "application/octet-stream"),
        ([None], {}, b"null", JSON_TYPE),
        ([True], {}, b"true", JSON_TYPE),
        ([2**70], {}, b"%d" % 2**70, JSON_TYPE),
        ([float("nan")], {}, b"null", JSON_TYPE),
        ([[1, 2]], {}, b"[1,2]", JSON_TYPE),
        ([1, 2], {}, b"[1,2]", JSON_TYPE),
        ([[b"\0"]], {}, b'["\\u0000AA=="]', JSON_TYPE),
        ([], {"a": 1}, b'{"a":1}', JSON_TYPE),
        ([1], {"a": 1}, b'{"args":[1],"kwargs":{"a":1}}', JSON_TYPE),
        (
            [],
            {"args": [], "kwargs": {}},
            b'{"args":[],"kwargs":{"args":[],"kwargs":{}}}',
            JSON_TYPE,
        ),
    ],
    ids=str,
)
def test_arguments_in_octets(
    args: list[Any], kwargs: dict[str, Any], octets: bytes, content_type: str
) -> None:
    assert octets_of(args, kwargs) == (octets, content_type)


@pytest.mark.parametrize(
    ("octets", "content_type", "args", "kwargs"),
    [
        (b"", "", [], {}),
        (b"", JSON_TYPE, [], {}),
        (b"on", "", ["on"], {}),
        (b"true", "", [True], {}),
        (b" null\n", "", [None], {}),
        (b"-1e3", "", [-1000.0], {}),
        (b"007", "", ["007"], {}),
        (b"+5", "", ["+5"], {}),
        (b"NaN", "", ["NaN"], {}),
        (b"1,2", "", ["1,2"], {}),
        (b"1],[2", "", ["1],[2"], {}),
        (b"1e999", "", ["1e999"], {}),
        (b"9" * 30, "", [int("9" * 30)], {}),
        (b'"on"', "", ['"on"'], {}),
        (b'"on"', JSON_TYPE, ["on"], {}),
        (b'"on"', "application/senml+json", ["on"], {}),
        (b"on", JSON_TYPE, ["on"], {}),
        (b"21.5", "text/csv; header=absent", ["21.5"], {}),
        (b"21.5", "application/cbor", [b"21.5"], {}),
        (b"\xff", "text/plain", [b"\xff"], {}),
        (b"\xff", "", [b"\xff"], {}),
        (b"\0a", "", [b"\0a"], {}),
        (b'{"a":', "", ['{"a":'], {}),
        (b'{"a":"\xff"}', "", [b'{"a":"\xff"}'], {}),
        (b'["\\u0000AA=="]', "", [[b"\0"]], {}),
        (b'{"args":[1],"kwargs":{"a":1}}', "", [1], {"a": 1}),
        (b'{"args":1,"kwargs":{}}', "", [{"args": 1, "kwargs": {}}], {}),
        (b'{"args":[1]}', "", [{"args": [1]}], {}),
        (b"[" * DEPTH_MAX + b"]" * DEPTH_MAX + b" ", "", None, {}),
        (b"[" * 200 + b"]" * 200, "", ["[" * 200 + "]" * 200], {}),
        (b"[" * 100_000, "", ["[" * 100_000], {}),
    ],
    ids=lambda value: str(value)[:40],
)
def test_octets_as_arguments(
    octets: bytes, content_type: str, args: list[Any] | None, kwargs: dict[str, Any]
) -> None:
    found = arguments_of(octets, content_type)
    assert found == ([json.loads(octets)] if args is None else args, kwargs)


def test_lone_surrogate_has_no_form() -> None:
    with pytest.raises(UnconvertiblePayload):
        octets_of(["\ud800"], {})


def test_number_keeps_its_digits() -> None:
    assert arguments_of(b"21.5")[0] == [21.5]
    assert isinstance(arguments_of(b"21")[0][0], int)


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip


@given(st.binary())
def test_octets_come_back_as_they_were_unless_they_are_json(octets: bytes) -> None:
    args, kwargs = arguments_of(octets)
    back, _ = octets_of(args, kwargs)
    if octets == b"" or (args and isinstance(args[0], str | bytes)):
        assert back == octets
    else:
        assert arguments_of(back) == (args, kwargs)


@given(_VALUES)
def test_one_value_comes_back(value: Any) -> None:
    octets, content_type = octets_of([value], {})
    if value == "":
        assert arguments_of(octets, content_type) == ([], {})
    else:
        assert arguments_of(octets, content_type) in (
            ([value], {}),
            # What looks like both is taken for both.
            (value["args"], value["kwargs"]) if isinstance(value, dict) and "args" in value else (),
        )


@given(
    st.lists(_VALUES, min_size=1, max_size=3),
    st.dictionaries(st.text(max_size=3), _VALUES, min_size=1, max_size=3),
)
def test_args_with_kwargs_come_back(args: list[Any], kwargs: dict[str, Any]) -> None:
    assert arguments_of(*octets_of(args, kwargs)) == (args, kwargs)


@pytest.mark.parametrize("serializer", [JSON, MSGPACK, CBOR])
def test_payload_is_read_and_written_in_each_serializer(serializer: Any) -> None:
    octets, properties = octets_from(payload_of(serializer, [{"a": b"\0"}, 1.5], {"b": [None]}))
    message = Message("a", octets, properties=properties)
    payload = payload_from(message, serializer)
    assert (payload.args, payload.kwargs) == ([{"a": b"\0"}, 1.5], {"b": [None]})


def test_user_properties_do_not_matter() -> None:
    properties = forwarded_properties(Properties(user_properties=(("content_type", "text/x"),)))
    assert payload_from(Message("a", b"1", properties=properties), CBOR).args == [1]
