"""Socket messages: where one ends, what is no request, and how answers look on the wire."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from thingtank.protocols.xively.socket_messages import (
    DEPTH_MAX,
    MalformedMessage,
    MessageSplitter,
    Pushes,
    answer,
    parse_request,
    refusal_of_nothing,
)

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
MESSAGES = st.lists(st.dictionaries(st.text(), JSON, max_size=4), max_size=5)


def split(*pieces: bytes) -> list[bytes]:
    splitter = MessageSplitter(100_000)
    return [message for piece in pieces for message in splitter.receive_data(piece)]


@given(MESSAGES, st.sampled_from([b"", b"\n", b"\r\n", b"  "]), st.booleans(), st.data())
def test_messages_are_found_however_the_stream_is_cut(
    documents: list[dict[str, object]], between: bytes, is_ascii: bool, data: st.DataObject
) -> None:
    texts = [json.dumps(document, ensure_ascii=is_ascii).encode() for document in documents]
    stream = between.join(texts)
    cuts = sorted(data.draw(st.sets(st.integers(0, len(stream)))))
    pieces = [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    assert split(*pieces) == texts
    assert split(*(bytes([byte]) for byte in stream)) == texts


@pytest.mark.parametrize(
    ("stream", "reason"),
    [
        (b"GET / HTTP/1.1\r\n", "must be a JSON object"),
        (b'{"a":1} x', "must be a JSON object"),
        (b'["list"]', "must be a JSON object"),
        (b'{"a":' * (DEPTH_MAX + 1), "nested deeper"),
        (b'{"a":"' + b"x" * 100_001, "at most 100000 bytes"),
        (b"\x00\xff", "must be a JSON object"),
    ],
)
def test_what_is_no_stream_of_objects_is_fatal(stream: bytes, reason: str) -> None:
    with pytest.raises(MalformedMessage, match=reason) as refused:
        split(stream)
    assert refused.value.is_fatal


@given(st.binary(max_size=300))
def test_garbage_is_messages_or_a_refusal(garbage: bytes) -> None:
    try:
        for message in split(garbage):
            parse_request(message)
    except MalformedMessage:
        pass


@pytest.mark.parametrize(
    "message",
    [
        b"{", b'{"method":1}', b'{"token":{}}', b'{"token":[1]}', b'{"headers":[]}', b'{"method":"get","resource":"\xff"}',
        b'{"token":"' + b"x" * 600 + b'"}', b'{"params":{"a":{}}}',
    ],
)  # fmt: skip
def test_what_is_no_request_is_refused(message: bytes) -> None:
    with pytest.raises(MalformedMessage):
        parse_request(message)


def test_parameters_and_body_are_read_as_each_client_writes_them() -> None:
    plain = parse_request(b'{"params":{"start":"x y","n":[1,2]},"body":{"a":1}}')
    assert (plain.query, plain.document) == (b"start=x+y&n=1&n=2", b'{"a":1}')
    twisted = parse_request(b'{"parameters":{"a":null,"b":true},"body":"{\\"a\\": 1}"}')
    assert (twisted.query, twisted.document) == (b"b=True", b'{"a": 1}')
    assert parse_request(b'{"body":null}').document == b""


@pytest.mark.parametrize("token", [b'"0x12345"', b"17", b'"\\u00e9 \\" x"'])
def test_answers_repeat_token_and_resource_in_compact_json(token: bytes) -> None:
    request = parse_request(b'{"method":"get","resource":"/feeds/504.json","token":%b}' % token)
    assert answer(request, 200) == (
        b'{"token":%b,"resource":"/feeds/504.json","status":200}\n' % token
    )
    assert answer(request, 403, {"A": "b"}, b'"no"') == (
        b'{"token":%b,"resource":"/feeds/504.json","status":403,"headers":{"A":"b"},"body":"no"}\n'
        % token
    )
    assert Pushes(request).frame(b'{"id":1}') == (
        b'{"token":%b,"resource":"/feeds/504.json","body":{"id":1}}\n' % token
    )


def test_without_a_token_none_is_answered() -> None:
    for message in (b'{"resource":"/feeds/1"}', b'{"resource":"/feeds/1","token":null}'):
        assert answer(parse_request(message), 200) == b'{"resource":"/feeds/1","status":200}\n'


def test_what_is_no_request_has_an_answer_too() -> None:
    assert json.loads(refusal_of_nothing("x")) == {
        "status": 400,
        "body": {"title": "Bad Request", "errors": "x"},
    }
