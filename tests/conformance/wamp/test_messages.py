"""Messages of good and bad shape, clause by clause, in each serializer.

Source: WAMP, Message Definitions, IDs, and the tables of options and details.
"""

from typing import Any

import pytest
from tests.conformance.wamp.octets import READ, octets

from thingtank.protocols.wamp.errors import ProtocolViolation
from thingtank.protocols.wamp.messages import (
    BARE_MESSAGES,
    FROM_CLIENTS,
    PAYLOAD_MESSAGES,
    Error,
    Event,
    Hello,
    Publish,
    Unsubscribed,
    code_of,
)
from thingtank.protocols.wamp.options import (
    ErrorDetails,
    EventDetails,
    InvocationDetails,
    PublishOptions,
    ResultDetails,
    RevocationDetails,
)
from thingtank.protocols.wamp.payloads import NO_PAYLOAD, payload_of
from thingtank.protocols.wamp.serializers import JSON, RAWSOCKET_SERIALIZERS, SERIALIZERS

pytestmark = pytest.mark.parametrize("name", SERIALIZERS)

TOP = 2**53
ROLES = {"roles": {"publisher": {"features": {"publisher_exclusion": True}}}}
FORWARDED = [{"session": 7, "authid": "a", "authrole": "b"}]

GOOD: dict[str, list[Any]] = {
    "HELLO": [1, "realm1", {**ROLES, "agent": "x", "authmethods": ["ticket"], "authid": "joe"}],
    "HELLO with everything": [
        1,
        "realm1",
        {**ROLES, "authrole": "r", "authextra": {"a": [1]}, "resumable": True, "resume_session": 1},
    ],
    "HELLO with unknown roles and keys": [
        1,
        "realm1",
        {"roles": {"caller": {}, "x": {}}, "x_y": {"a": 1}},
    ],
    "WELCOME": [2, TOP, {"roles": {"broker": {}, "dealer": {"features": {"x": True}}}}],
    "ABORT": [3, {"message": "no"}, "wamp.error.no_such_realm"],
    "ABORT with args": [3, {}, "wamp.error.no_such_realm", [1], {"a": 2}],
    "CHALLENGE": [4, "wampcra", {"challenge": "{}", "iterations": 1000}],
    "AUTHENTICATE": [5, "", {}],
    "GOODBYE": [6, {}, "wamp.close.close_realm"],
    "ERROR": [8, 68, 1, {}, "com.example.error"],
    "ERROR with args": [8, 48, 1, {}, "com.example.error", ["a"], {"b": 1}],
    "PUBLISH": [16, 1, {}, "com.example.topic"],
    "PUBLISH with args": [16, 1, {}, "com.example.topic", [1, None, "a"]],
    "PUBLISH with kwargs": [16, 1, {}, "com.example.topic", [], {"a": {"b": []}}],
    "PUBLISH, receivers chosen": [
        16,
        1,
        {"eligible": [], "exclude": [TOP], "eligible_authid": ["a"], "exclude_authrole": []},
        "t",
    ],
    "PUBLISH, unknown options ignored": [16, 1, {"_mine": [1], "x_y": "z", "retained": 7}, "t"],
    "PUBLISH, largest id": [16, TOP, {"acknowledge": True}, "t"],
    "PUBLISH, URIs are looked at later": [16, 1, {}, ""],
    "PUBLISHED": [17, 1, TOP],
    "SUBSCRIBE": [32, 1, {"match": "wildcard", "get_retained": True, "nkey": "n"}, "a..b"],
    "SUBSCRIBED": [33, 1, 2],
    "UNSUBSCRIBE": [34, 1, 2],
    "UNSUBSCRIBED": [35, 1],
    "UNSUBSCRIBED, revocation": [35, 0, {"subscription": 2, "reason": "wamp.error.gone"}],
    "EVENT": [36, 1, 2, {"publisher": 3, "topic": "t", "retained": True}],
    "EVENT with args": [36, 1, 2, {"x_acknowledged_delivery": True}, ["a"]],
    "CALL": [48, 1, {"timeout": 300, "receive_progress": True}, "com.example.add", [1, 2]],
    "CANCEL": [49, 1, {"mode": "killnowait"}],
    "CANCEL, without mode": [49, 1, {}],
    "RESULT": [50, 1, {"progress": True}, [3]],
    "REGISTER": [64, 1, {"match": "prefix", "invoke": "roundrobin", "concurrency": 2}, "p"],
    "REGISTERED": [65, 1, 2],
    "UNREGISTER": [66, 1, 2],
    "UNREGISTERED": [67, 1],
    "UNREGISTERED, revocation": [67, 0, {"registration": 2}],
    "INVOCATION": [68, 1, 2, {"caller": 3, "procedure": "p", "timeout": 1}, [1], {"a": 1}],
    "INTERRUPT": [69, 1, {"mode": "kill"}],
    "YIELD": [70, 1, {"progress": True}, [1]],
    "YIELD, ppt": [70, 1, {"ppt_scheme": "x_mine", "ppt_serializer": "cbor"}, ["a"]],
    "EVENT_RECEIVED": [337, 1],
}

BAD: dict[str, tuple[Any, str]] = {
    "no list": ({"a": 1}, ""),
    "a number": (16, ""),
    "an empty list": ([], ""),
    "no code": (["16", 1, {}, "t"], ""),
    "a boolean for a code": ([True, "realm1", ROLES], ""),
    "an unknown code": ([99, 1, {}], "99"),
    "a negative code": ([-16, 1, {}, "t"], ""),
    "HELLO without details": ([1, "realm1"], ""),
    "HELLO without roles": ([1, "realm1", {}], "roles"),
    "HELLO with no client role": ([1, "realm1", {"roles": {"broker": {}}}], "roles"),
    "HELLO, roles a list": ([1, "realm1", {"roles": ["caller"]}], "roles"),
    "HELLO, features a list": ([1, "r", {"roles": {"caller": {"features": []}}}], "features"),
    "HELLO, authmethods a string": ([1, "r", {**ROLES, "authmethods": "ticket"}], "authmethods"),
    "HELLO, realm a number": ([1, 1, ROLES], "`realm`"),
    "HELLO, an element too many": ([1, "realm1", ROLES, []], ""),
    "AUTHENTICATE, signature null": ([5, None, {}], "`signature`"),
    "GOODBYE, details a list": ([6, [], "wamp.close.normal"], "`details`"),
    "ERROR of what has no errors": ([8, 17, 1, {}, "e"], "`request_type`"),
    "ERROR without request": ([8, 68, 0, {}, "e"], "`request_id`"),
    "PUBLISH, id 0": ([16, 0, {}, "t"], "`request_id`"),
    "PUBLISH, id negative": ([16, -1, {}, "t"], "`request_id`"),
    "PUBLISH, id above 2**53": ([16, TOP + 1, {}, "t"], "`request_id`"),
    "PUBLISH, id a boolean": ([16, True, {}, "t"], "`request_id`"),
    "PUBLISH, id a float": ([16, 1.0, {}, "t"], "`request_id`"),
    "PUBLISH, id a string": ([16, "1", {}, "t"], "`request_id`"),
    "PUBLISH, options null": ([16, 1, None, "t"], "`options`"),
    "PUBLISH, topic a number": ([16, 1, {}, 5], "`topic`"),
    "PUBLISH, too short": ([16, 1, {}], ""),
    "PUBLISH, too long": ([16, 1, {}, "t", [], {}, 1], ""),
    "PUBLISH, args a dict": ([16, 1, {}, "t", {}], "Arguments"),
    "PUBLISH, args a number": ([16, 1, {}, "t", 5], "Arguments"),
    "PUBLISH, args null": ([16, 1, {}, "t", None], "Arguments"),
    "PUBLISH, kwargs a list": ([16, 1, {}, "t", [], []], "ArgumentsKw"),
    "PUBLISH, kwargs null": ([16, 1, {}, "t", [], None], "ArgumentsKw"),
    "PUBLISH, kwargs behind a string": ([16, 1, {}, "t", "opaque", {}], "one string"),
    "PUBLISH, acknowledge 1": ([16, 1, {"acknowledge": 1}, "t"], "acknowledge"),
    "PUBLISH, acknowledge null": ([16, 1, {"acknowledge": None}, "t"], "acknowledge"),
    "PUBLISH, exclude_me a string": ([16, 1, {"exclude_me": "false"}, "t"], "exclude_me"),
    "PUBLISH, eligible a number": ([16, 1, {"eligible": 5}, "t"], "eligible"),
    "PUBLISH, eligible of strings": ([16, 1, {"eligible": ["5"]}, "t"], "eligible"),
    "PUBLISH, exclude of 0": ([16, 1, {"exclude": [0]}, "t"], "exclude"),
    "PUBLISH, exclude_authid of numbers": ([16, 1, {"exclude_authid": [5]}, "t"], "exclude_authid"),
    "PUBLISH, ppt_scheme a number": ([16, 1, {"ppt_scheme": 1}, "t"], "ppt_scheme"),
    "PUBLISH, forward_for without session": ([16, 1, {"forward_for": [{}]}, "t"], "forward_for"),
    "SUBSCRIBE, unknown match": ([32, 1, {"match": "regex"}, "t"], "match"),
    "SUBSCRIBE, too long": ([32, 1, {}, "t", []], ""),
    "UNSUBSCRIBE, id 0": ([34, 1, 0], "`subscription_id`"),
    "UNSUBSCRIBED, details of an answer": ([35, 1, {}], "request id"),
    "UNSUBSCRIBED, revocation without details": ([35, 0], "request id"),
    "CALL, timeout negative": ([48, 1, {"timeout": -1}, "p"], "timeout"),
    "CALL, timeout a float": ([48, 1, {"timeout": 0.5}, "p"], "timeout"),
    "CANCEL, unknown mode": ([49, 1, {"mode": "maybe"}], "mode"),
    "REGISTER, unknown invoke": ([64, 1, {"invoke": "all"}, "p"], "invoke"),
    "REGISTER, concurrency 0": ([64, 1, {"concurrency": 0}, "p"], "concurrency"),
    "INTERRUPT, mode skip": ([69, 1, {"mode": "skip"}], "mode"),
    "YIELD, progress 1": ([70, 1, {"progress": 1}], "progress"),
    "EVENT_RECEIVED, too long": ([337, 1, {}], ""),
}

WORDS: list[tuple[Any, str]] = [
    ({"a": 1}, "a message is a list that begins with its code, a whole number"),
    (["16", 1, {}, "t"], "a message is a list that begins with its code, a whole number"),
    ([], "a message is a list that begins with its code, a whole number"),
    ([999], "no message has the code 999"),
    ([16, "1", {}, "a.b"], "PUBLISH: `request_id` must be a whole number, not a string"),
    ([16, 1.5, {}, "a.b"], "PUBLISH: `request_id` must be a whole number, not one with a fraction"),
    ([16, 0, {}, "a.b"], "PUBLISH: `request_id` must be 1 or more"),
    ([16, TOP + 1, {}, "a.b"], "PUBLISH: `request_id` must be at most 9007199254740992"),
    ([16, 1, None, "a.b"], "PUBLISH: `options` must be an object, not null"),
    ([16, 1, {}, None], "PUBLISH: `topic` must be a string, not null"),
    (
        [16, 1, {"eligible": [1, "x"]}, "a.b"],
        "PUBLISH: `options.eligible[1]` must be a whole number, not a string",
    ),
    (
        [16, 1, {"forward_for": [{"session": 1, "authid": 2}]}, "t"],
        "PUBLISH: `options.forward_for[0].authid` must be a string, not a whole number",
    ),
    (
        [16, 1, {"enc_algo": "rot13"}, "a.b"],
        "PUBLISH: `options.enc_algo` must be of the form ^(cryptobox|mqtt|xbr|x_.*)$",
    ),
    (
        [32, 1, {"match": "x"}, "a.b"],
        'SUBSCRIBE: `options.match` must be "exact", "prefix" or "wildcard", not \'x\'',
    ),
    (
        [8, 17, 1, {}, "e"],
        "ERROR: `request_type` must be 16, 32, 34, 48, 64, 66 or 68, not 17",
    ),
    ([1, "realm1", {}], "HELLO: `details.roles` is missing"),
    (
        [1, "realm1", {"roles": {"caller": None}}],
        "HELLO: each value in `details.roles` must be an object, not null",
    ),
    (
        [1, "realm1", {"roles": {}}],
        "HELLO: roles must name one of callee, caller, publisher, subscriber (at `details`)",
    ),
    ([337, None], "EVENT_RECEIVED: `publication_id` must be a whole number, not null"),
    ([17, 1, 2, 3], "PUBLISHED has 3 elements, not 4"),
    ([16, 1, {}], "PUBLISH has 4 to 6 elements, not 3"),
    ([36, 1, 2, {}, [], {}, 1], "EVENT has 4 to 6 elements, not 7"),
    ([48, 1, {}, "a.b", [], {}, 1], "CALL has 4 to 6 elements, not 7"),
    ([70, 1, {}, [], {}, 1], "YIELD has 3 to 5 elements, not 6"),
]


@pytest.mark.parametrize("case", GOOD)
def test_good_message_is_read_and_written_again(name: str, case: str) -> None:
    serializer = SERIALIZERS[name]
    message = serializer.decode(octets(name, GOOD[case]))
    assert code_of(type(message)) == GOOD[case][0]
    written = serializer.encode(message)
    assert serializer.decode(written) == message
    if "unknown" not in case and "x_" not in case:
        assert READ[name](written) == GOOD[case]


@pytest.mark.parametrize("case", BAD)
def test_bad_message_is_a_violation_that_says_where(name: str, case: str) -> None:
    message, word = BAD[case]
    with pytest.raises(ProtocolViolation) as violation:
        SERIALIZERS[name].decode(octets(name, message))
    assert word in str(violation.value)


@pytest.mark.parametrize(("message", "words"), WORDS)
def test_bad_message_is_told_of_in_words_for_people(name: str, message: Any, words: str) -> None:
    with pytest.raises(ProtocolViolation) as violation:
        SERIALIZERS[name].decode(octets(name, message))
    assert str(violation.value) == words


def test_key_that_is_no_string_is_told_of(name: str) -> None:
    if name == "json":
        return  # which has none
    with pytest.raises(ProtocolViolation) as violation:
        SERIALIZERS[name].decode(octets(name, [16, 1, {1: 2}, "t"]))
    assert str(violation.value) == "PUBLISH: the names in `options` must be strings"


def test_nesting_without_end_is_told_of(name: str) -> None:
    opening, closing = {"json": (b"[", b"]"), "msgpack": (b"\x91", b""), "cbor": (b"\x81", b"")}[
        name
    ]
    head, rest = octets(name, [16, 1, {"x": 7}, "a.b"]).split(octets(name, 7))
    depth = 5000
    whole = head + depth * opening + octets(name, 7) + depth * closing + rest
    with pytest.raises(ProtocolViolation, match=r"^nested deeper than 128$"):
        SERIALIZERS[name].decode(whole)


@pytest.mark.parametrize("case", GOOD)
def test_message_cut_off_or_with_more_behind_is_a_violation(name: str, case: str) -> None:
    whole = octets(name, GOOD[case])
    for cut in range(len(whole)):
        with pytest.raises(ProtocolViolation):
            SERIALIZERS[name].decode(whole[:cut])
    for more in (b"\0", b"1", b"\xff", b"]", whole):
        with pytest.raises(ProtocolViolation):
            SERIALIZERS[name].decode(whole + more)


def test_each_code_has_one_type_and_each_type_its_direction(name: str) -> None:
    types = (*BARE_MESSAGES, *PAYLOAD_MESSAGES)
    codes = {1, 2, 3, 4, 5, 6, 8, *(16, 17), *range(32, 37), *(48, 49, 50), *range(64, 71), 337}
    assert {code_of(each) for each in types} == codes
    assert len(types) == len(codes) == 25
    sent = {1, 3, 5, 6, 8, 16, 32, 34, 48, 49, 64, 66, 70, 337}
    assert {code_of(each) for each in FROM_CLIENTS} == sent
    assert SERIALIZERS[name].is_binary == (name != "json")
    assert RAWSOCKET_SERIALIZERS[SERIALIZERS[name].rawsocket_id].name == name


def test_absent_lists_of_receivers_differ_from_empty_ones(name: str) -> None:
    """An empty `eligible` means nobody, not everybody."""
    message = SERIALIZERS[name].decode(octets(name, [16, 1, {"eligible": []}, "t"]))
    assert isinstance(message, Publish)
    assert message.options.eligible == []
    assert not message.options.exclude
    assert message.options.exclude is not message.options.eligible
    assert READ[name](SERIALIZERS[name].encode(message))[2] == {"eligible": []}


def test_what_is_passed_on_goes_from_options_into_details(name: str) -> None:
    sent = {"ppt_scheme": "wamp", "enc_algo": "cryptobox", "transaction_hash": "h", "rkey": "k"}
    octets_sent = octets(name, [16, 1, {**sent, "forward_for": FORWARDED}, "t", ["a"]])
    message = SERIALIZERS[name].decode(octets_sent)
    assert isinstance(message, Publish)
    event = Event(5, 6, EventDetails(**message.options.passed_on), message.payload)
    del sent["rkey"]
    written = READ[name](SERIALIZERS[name].encode(event))
    assert written == [36, 5, 6, {**sent, "forward_for": FORWARDED}, ["a"]]
    assert PublishOptions().passed_on == {}


def test_messages_of_the_hot_path_are_written_alike_with_and_without_their_types(name: str) -> None:
    serializer = SERIALIZERS[name]
    payload = payload_of(serializer, ["a"], {"b": 1})
    ends = [["a"], {"b": 1}]
    read = READ[name]
    assert read(serializer.encode_event(5, TOP, None, payload)) == [36, 5, TOP, {}, *ends]
    assert read(serializer.encode_event(5, 6, EventDetails(topic="t"), NO_PAYLOAD)) == [
        *(36, 5, 6),
        {"topic": "t"},
    ]
    assert read(serializer.encode_result(5, None, payload)) == [50, 5, {}, *ends]
    assert read(serializer.encode_result(5, ResultDetails(progress=True), payload)) == [
        *(50, 5),
        {"progress": True},
        *ends,
    ]
    assert read(serializer.encode_invocation(5, 300, None, payload)) == [68, 5, 300, {}, *ends]
    details = InvocationDetails(caller=70_000)
    assert read(serializer.encode_invocation(5, 6, details, payload))[3] == {"caller": 70_000}
    plain = Event(5, 6, EventDetails(), payload)
    assert serializer.encode(plain) == serializer.encode_event(5, 6, None, payload)


def test_router_s_own_messages_are_short(name: str) -> None:
    """Nothing that is absent is written, not even as a default."""
    revoked = Unsubscribed(0, RevocationDetails(subscription=5))
    assert READ[name](SERIALIZERS[name].encode(revoked)) == [35, 0, {"subscription": 5}]
    error = Error(48, 5, ErrorDetails(), "wamp.error.canceled")
    written = SERIALIZERS[name].encode(error)
    assert READ[name](written) == [8, 48, 5, {}, "wamp.error.canceled"]
    assert len(written) <= len(octets("json", [8, 48, 5, {}, "wamp.error.canceled"]))


def test_hello_keeps_what_is_asked_later(name: str) -> None:
    features = {"features": {"call_canceling": True, "call_cancelling": 1}}
    hello = SERIALIZERS[name].decode(octets(name, [1, "r", {"roles": {"callee": features}}]))
    assert isinstance(hello, Hello)
    assert hello.details.roles["callee"].features["call_canceling"] is True
    assert not hello.details.authmethods
    assert JSON.decode(JSON.encode(hello)) == hello
