"""What a device's `meshblu` property has sent on, and where forwarding ends."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from thingtank.tank.messaging.hooks import (
    CHAIN_MAX,
    HOOKS_MAX,
    Hook,
    HookKind,
    find_hook,
    forwarded,
    hooks_of,
    may_send_on,
)
from thingtank.tank.things import Device

URL = "https://receiver.example/in"
WEB = {"url": URL}


def device(meshblu: Any) -> Device:
    return Device(7, 1, "u-7", "Lamp", properties={"meshblu": meshblu})


@pytest.mark.parametrize(
    ("meshblu", "kind", "wanted"),
    [
        ({"messageHooks": [WEB]}, "received", [("messageHooks", "received", URL, False)]),
        ({"messageHooks": [WEB]}, "sent", []),
        ({"configHooks": [WEB]}, "config", [("configHooks", "config", URL, False)]),
        ({"messageForward": ["a", "b"]}, "received", [("messageForward", "received", "a", True), ("messageForward", "received", "b", True)]),
        ({"configForward": [{"uuid": "a"}]}, "config", [("configForward", "config", "a", True)]),
        ({"forwarders": {"sent": [{"type": "webhook", **WEB}]}}, "sent", [("forwarders.sent", "sent", URL, False)]),
        ({"forwarders": {"broadcast": [{"type": "webhook", **WEB}]}}, "broadcast", [("forwarders.broadcast", "broadcast", URL, False)]),
        ({"forwarders": {"message": {"received": [{"type": "webhook", **WEB}]}}}, "received", [("forwarders.message.received", "message.received", URL, False)]),
        ({"forwarders": {"message.received": [{"type": "webhook", **WEB}]}}, "received", [("forwarders.message.received", "message.received", URL, False)]),
        ({"forwarders": {"configure": {"sent": [{"type": "webhook", **WEB}]}}}, "config", [("forwarders.configure.sent", "configure.sent", URL, False)]),
        ({"forwarders": {"received": [{"type": "meshblu"}]}}, "received", [("forwarders.received", "received", "*", True)]),
        ({"forwarders": {"received": [{"type": "meshblu", "uuid": "a"}]}}, "received", [("forwarders.received", "received", "a", True)]),
        ({"forwarders": {"received": [{"type": "pigeon"}]}}, "received", []),
        ({"messageHooks": [WEB, WEB]}, "received", [("messageHooks", "received", URL, False)]),
        ({"messageHooks": WEB}, "received", []),
        ({"messageHooks": [None, 5, "x", {}, {"url": 5}, {"url": ""}, {"url": URL, "method": "CONNECT"}]}, "received", []),
        ({"forwarders": [WEB]}, "received", []),
        ({"forwarders": {"message": 5}}, "received", []),
        ("nonsense", "received", []),
    ],
)  # fmt: skip
def test_the_lists_of_all_generations_are_read_and_nonsense_in_them_is_not(
    meshblu: Any, kind: HookKind, wanted: list[tuple[str, str, str, bool]]
) -> None:
    found = hooks_of(device(meshblu), kind)
    assert [(hook.list_name, hook.type, hook.target, hook.is_forward) for hook in found] == wanted


WORDS = st.sampled_from(
    ["messageHooks", "configForward", "forwarders", "received", "message", "sent", "url", "uuid",
     "type", "webhook", "meshblu", "method", "put", "headers", "auth", "user", "bearer", URL]
)  # fmt: skip
ANYTHING: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | WORDS | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=4),
    max_leaves=12,
)


@given(ANYTHING, st.sampled_from(["received", "sent", "broadcast", "config"]))
def test_whatever_the_property_is_all_its_hooks_can_be_found_again(
    meshblu: Any, kind: HookKind
) -> None:
    there = device(meshblu)
    for hook in hooks_of(there, kind):
        assert find_hook(there, hook.list_name, hook.type, hook.target) == hook


def test_half_a_character_is_no_target_and_no_reason_to_fail() -> None:
    hooks = [{"url": "https://a.example/\ud800"}, {**WEB, "auth": {"user": "\ud800"}}]
    meshblu = {"messageHooks": hooks, "messageForward": ["\ud800", "u" * 3000]}
    (hook,) = hooks_of(device(meshblu), "received")
    assert hook.headers == {"authorization": "Basic Pzo="}


def test_a_device_has_ten_hooks_of_a_kind_at_most() -> None:
    many = [{"url": f"{URL}/{number}"} for number in range(HOOKS_MAX + 5)]
    found = hooks_of(device({"messageHooks": many}), "received")
    assert [hook.target for hook in found] == [f"{URL}/{number}" for number in range(HOOKS_MAX)]


@pytest.mark.parametrize(
    ("options", "headers"),
    [
        ({"headers": {"X-Room": "kitchen", "x-count": 5}}, {"x-room": "kitchen", "x-count": "5"}),
        ({"headers": {"Host": "a", "Content-Length": "1", "Transfer-Encoding": "chunked", "X-MESHBLU-UUID": "u-8"}}, {}),
        ({"headers": {"x": "a\r\nevil: 1", "e\nvil": "1", "y": "ü", "z": ["1"]}}, {"z": ""}),
        ({"headers": ["x"]}, {}),
        ({"auth": {"user": "u", "pass": "p"}}, {"authorization": "Basic dTpw"}),
        ({"auth": {"username": "u", "password": "p"}}, {"authorization": "Basic dTpw"}),
        ({"auth": {"bearer": "b"}}, {"authorization": "Bearer b"}),
        ({"auth": {"bearer": "b\r\nx: 1"}}, {}),
    ],
)  # fmt: skip
def test_headers_are_taken_but_for_those_that_would_change_the_request(
    options: dict[str, Any], headers: dict[str, str]
) -> None:
    (hook,) = hooks_of(device({"messageHooks": [{**WEB, **options}]}), "received")
    assert hook.headers == headers


def test_many_or_long_headers_are_cut_off() -> None:
    headers = {f"x-{number}": "v" for number in range(50)} | {"y": "v"}
    (hook,) = hooks_of(device({"messageHooks": [{**WEB, "headers": headers}]}), "received")
    assert len(hook.headers) == 20
    (hook,) = hooks_of(
        device({"messageHooks": [{**WEB, "headers": {"x": "v" * 5000}}]}), "received"
    )
    assert hook.headers == {}


def test_a_hook_is_found_again_as_it_is_now_and_not_when_it_is_gone() -> None:
    before = device({"messageHooks": [{**WEB, "method": "PUT"}]})
    hook = find_hook(before, "messageHooks", "received", URL)
    assert hook is not None
    assert hook.method == "PUT"
    assert find_hook(before, "configHooks", "config", URL) is None
    assert find_hook(device({}), "messageHooks", "received", URL) is None


def test_what_a_hook_says_of_itself_has_no_secret() -> None:
    hook = Hook(
        "messageHooks",
        "received",
        "https://u:secret@a.example",
        False,
        headers={"authorization": "Bearer secret"},
    )
    assert "secret" not in repr(hook)


@pytest.mark.parametrize(
    ("content", "may"),
    [
        ({}, True),
        ({"forwardedFor": ["a"]}, True),
        ({"forwardedFor": ["a", "u-7"]}, False),
        ({"forwardedFor": [str(number) for number in range(CHAIN_MAX - 1)]}, True),
        ({"forwardedFor": [str(number) for number in range(CHAIN_MAX)]}, False),
        ({"forwardedFor": "u-7"}, True),
        ({"forwardedFor": [["u-7"]]}, True),
    ],
)
def test_nobody_forwards_what_it_has_forwarded_or_ten_others_have(
    content: dict[str, Any], may: bool
) -> None:
    assert may_send_on(content, "u-7") is may


def test_a_forwarded_message_says_who_has_forwarded_it() -> None:
    content = {"devices": ["u-7"], "payload": 1, "forwardedFor": ["a"]}
    assert forwarded(content, "u-7", "b") == {
        "devices": ["b"],
        "payload": 1,
        "forwardedFor": ["a", "u-7"],
    }
    assert forwarded(content, "u-7", "*")["devices"] == "*"
