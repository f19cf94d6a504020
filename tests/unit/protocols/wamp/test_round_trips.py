"""What is written in one serializer and read in another comes back the same."""

import datetime
import itertools
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from thingtank.protocols.wamp.messages import Call, Publish
from thingtank.protocols.wamp.options import CallOptions
from thingtank.protocols.wamp.payloads import opaque_payload, payload_of
from thingtank.protocols.wamp.serializers import CBOR, MSGPACK, SERIALIZERS

BINARY = (MSGPACK, CBOR)
PAIRS = list(itertools.product(SERIALIZERS.values(), repeat=2))
SURROGATES = ("Cs",)

texts = st.text(st.characters(exclude_categories=SURROGATES), max_size=30).filter(
    lambda text: text[:1] != "\0"  # which is how JSON says that it is a byte string
)
scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts
    | st.binary(max_size=30)
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(texts, inner, max_size=5),
    max_leaves=20,
)
dates = st.datetimes(min_value=datetime.datetime(1970, 1, 1), timezones=st.just(datetime.UTC))  # noqa: DTZ001 - hypothesis takes no others
binary_values = st.recursive(
    scalars | dates | st.floats(allow_nan=False),
    lambda inner: (
        st.lists(inner, max_size=5)
        | st.dictionaries(
            texts | st.integers(-(2**63), 2**64 - 1) | st.binary(max_size=9), inner, max_size=5
        )
    ),
    max_leaves=20,
)
args, kwargs = st.lists(values, max_size=5), st.dictionaries(texts, values, max_size=5)


@given(args=args, kwargs=kwargs)
def test_payload_comes_back_through_another_serializer(
    args: list[Any], kwargs: dict[str, Any]
) -> None:
    for source, target in PAIRS:  # of the same values: to draw them takes most of the time
        payload = payload_of(source, args, kwargs)
        call = Call(7, CallOptions(timeout=3), "com.example.f", payload)
        received = target.decode(target.encode(call))
        assert isinstance(received, Call)
        assert (received.payload.args, received.payload.kwargs) == (args, kwargs)
        back = received.payload.converted(source)
        assert (back.args, back.kwargs) == (args, kwargs)
        assert (received.request_id, received.options, received.procedure) == call.head[1:]


@given(element=st.binary() | texts)
def test_opaque_payload_comes_back_through_another_serializer(element: bytes | str) -> None:
    for source, target in PAIRS:
        payload = opaque_payload(source, element)
        there = payload.converted(target)
        assert there.elements == [element]
        assert there.converted(source) == payload


@given(args=st.lists(binary_values, max_size=5))
def test_binary_serializers_share_more(args: list[Any]) -> None:
    for source, target in (BINARY, BINARY[::-1]):
        assert payload_of(source, args).converted(target).args == args


@given(values=st.lists(binary_values, max_size=5))
def test_nothing_that_msgpack_has_is_malformed(values: list[Any]) -> None:
    """Neither built nor scanned."""
    for extra in ("", "x" * 2000):
        for serializer in BINARY:
            payload = payload_of(serializer, [extra, *values])
            message = serializer.decode(serializer.encode_with((16, 1, {}, "t"), payload))
            assert isinstance(message, Publish)
            assert message.payload == payload
