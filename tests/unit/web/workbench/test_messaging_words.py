"""Messaging in words for people: events, permissions, receipts, and what is typed."""

from typing import Any

import msgspec
import pytest
from django.forms import ValidationError
from tests.unit.tank.messaging.messaging_bench import Bench

from thingtank.doors.skynet.records import DERIVED
from thingtank.tank.access import Caller
from thingtank.tank.actions.messages import Receipt, send_message
from thingtank.tank.device_events import StoredEvent
from thingtank.tank.messaging.event_codes import EventCode
from thingtank.tank.messaging.permissions import Area, Policy
from thingtank.tank.things import Device
from thingtank.web.workbench.event_words import WORDS, shown_event
from thingtank.web.workbench.message_forms import parse_json
from thingtank.web.workbench.message_panels import receipt_words, shown_receipts
from thingtank.web.workbench.messaging_forms import OWN_NAMES, fingerprint, keep_words
from thingtank.web.workbench.messaging_panels import read_events
from thingtank.web.workbench.permission_words import shown_permissions
from thingtank.web.workbench.skynet_snippets import (
    data_line,
    first_lines,
    message_lines,
    node_program,
    python_program,
)

OPEN, CLOSED = Policy(is_open=True), Policy()


# --- the event log ---

EVENTS: list[tuple[int, dict[str, Any], str, str]] = [
    (300, {"fromUuid": "me", "devices": "*"}, "Message sent", "to all who listen"),
    (300, {"fromUuid": "me", "devices": ["a", "b", "c", "d"]}, "Message sent", "to A, B, C and 1 more"),
    (300, {"fromUuid": "a", "devices": "me", "topic": "t"}, "Message came", "from A, topic t"),
    (300, {"devices": "me"}, "Message came", "from somebody without a uuid"),
    (102, {"api": "disconnect", "uuid": "me"}, "Disconnected", ""),
    (102, {"uuid": "me", "ipAddress": "10.0.0.1"}, "Showed its token", "from 10.0.0.1"),
    (204, {"uuid": "a", "subscribed": "me"}, "Subscribed", "by A"),
    (204, {"uuid": "me", "subscribed": "a"}, "Subscribed", "to A"),
    (402, {"uuid": "a"}, "Unregistered a device", "A"),
    (401, {"uuid": "me"}, "Changed", ""),
    (999, {}, "Event 999", ""),
]  # fmt: skip


@pytest.mark.parametrize(("code", "body", "words", "facts"), EVENTS)
def test_an_event_is_told_in_words(code: int, body: dict[str, Any], words: str, facts: str) -> None:
    event = StoredEvent("1", 0, code, msgspec.json.encode(body))
    shown = shown_event(event, "me", str.upper)
    assert (shown.words, shown.facts) == (words, facts)


def test_each_code_has_words() -> None:
    assert set(WORDS) == set(EventCode)


@pytest.mark.parametrize("body", [b"[1]", b"no json", b'{"token":"secret","n":1}'])
def test_an_event_shows_no_token_and_nonsense_does_not_break_it(body: bytes) -> None:
    shown = shown_event(StoredEvent("1", 0, 401, body), "me", str)
    assert "secret" not in shown.body


async def test_events_are_read_page_by_page_until_there_are_no_more() -> None:
    bench = Bench()
    lamp = await bench.make("lamp")
    for number in range(5):
        bench.tank.messaging.log(EventCode.UPDATED, (lamp.device_id,), {"n": number})
    caller, seen, before = Caller(bench.account), [], ""
    for _ in range(3):
        page = await read_events(bench.tank, caller, lamp, 2, before)
        seen += [msgspec.json.decode(event.body)["n"] for event in page.events]
        before = page.older
    assert (seen, before) == ([4, 3, 2, 1, 0], "")


# --- permissions ---

WHO: list[tuple[bool, dict[str, Any], Policy, Area, str]] = [
    (True, {}, OPEN, "discover", "Nobody else"),
    (False, {}, OPEN, "discover", "Everybody, also without a token"),
    (False, {}, CLOSED, "discover", "Every device with a token"),
    (False, {}, CLOSED, "send", "Nobody else"),
    (False, {}, OPEN, "configure", "Nobody else"),
    (True, {"sendWhitelist": ["*"]}, CLOSED, "send", "Everybody"),
    (False, {"sendWhitelist": []}, OPEN, "send", "Nobody else"),
    (False, {"readWhitelist": ["a", "b", "c", "d"]}, OPEN, "receive", "Only A, B, C and 1 more"),
    (False, {"viewBlacklist": ["a"]}, CLOSED, "discover", "Every device with a token, but not A"),
]


@pytest.mark.parametrize(("private", "properties", "policy", "area", "who"), WHO)
def test_who_may_is_told_as_it_is_in_force(
    private: bool, properties: dict[str, Any], policy: Policy, area: Area, who: str
) -> None:
    device = Device(1, "lamp", 1, "Lamp", private=private, properties=properties)
    shown = {each.area: each for each in shown_permissions(device, policy, str.upper)}
    assert shown[area].who == who
    assert shown[area].is_list == bool(properties)


# --- what became of a message ---


async def test_a_receipt_does_not_tell_a_device_that_may_not_be_reached_from_none() -> None:
    bench = Bench()
    await bench.make("hidden", private=True)
    bob = Caller(bench.directory.add_account("bob"))
    for uuid in ("HIDDEN", "NOBODY"):
        words = receipt_words(bench.tank, bob, Receipt(uuid, "undeliverable"))
        assert (
            words == f"{uuid}: there is no such device, or it does not let this sender send to it."
        )


RECEIPTS = [
    (Receipt("lamp", "kept"), "The lamp is away. It is kept until it comes back."),
    (Receipt("*", "away", 0), "Nobody listens to what this device broadcasts."),
    (Receipt("*", "delivered", 2), "Delivered to 2 who listen."),
    (Receipt("tag:hall", "delivered", 3), "tag:hall: 3 of this tag got it."),
    (Receipt("tag:hall", "undeliverable", 0), "tag:hall: no device with this tag is there and lets you send to it."),
    (Receipt("tag:hall", "away", 0), "tag:hall: all of this tag are away and keep no messages: none will get it."),
]  # fmt: skip


@pytest.mark.parametrize(("receipt", "words"), RECEIPTS)
async def test_a_receipt_says_what_became_of_it(receipt: Receipt, words: str) -> None:
    bench = Bench()
    await bench.make("lamp")
    lamp = bench.device("lamp")
    await bench.directory.update_device(
        lamp.device_id, lambda newest: msgspec.structs.replace(newest, title="The lamp")
    )
    assert receipt_words(bench.tank, Caller(bench.account), receipt) == words


async def test_a_message_to_several_is_good_only_if_all_have_it() -> None:
    bench = Bench(is_open=True)
    for uuid in ("me", "lamp", "door"):
        await bench.make(uuid)
    bench.ear("lamp")
    caller = Caller(bench.account)
    goods = []
    for devices in (["lamp", "me"], ["lamp"]):
        asked = {"devices": devices, "payload": 1}
        sent = await send_message(bench.tank, bench.party("door"), asked)
        goods.append(shown_receipts(bench.tank, caller, sent, 10).is_good)
    assert goods == [False, True]


# --- what is typed ---


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("on", 'A text stands in quotes: "on".'),
        ('{"a": 1,\n "b" 2}', "at line 2, column 6"),
        ("NaN", "NaN is no number"),
        ("[" * 100_000, "too deep"),
        ("", "This is no JSON"),
    ],
    ids=["a bare word", "a missing colon", "no number", "too deep", "nothing"],
)
def test_what_is_no_json_is_refused_with_where_and_why(text: str, words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        parse_json(text)


def test_all_names_that_are_no_properties_are_known() -> None:
    assert set(OWN_NAMES) == DERIVED


def test_properties_that_changed_have_another_fingerprint_and_their_order_does_not_matter() -> None:
    assert fingerprint({"a": 1, "b": {"c": 2}}) == fingerprint({"b": {"c": 2}, "a": 1})
    assert fingerprint({"a": 1}) != fingerprint({"a": 2})


def test_how_long_messages_are_kept_is_told_in_words() -> None:
    assert [keep_words(each) for each in (0, 90, 7 * 86_400)] == [
        "Not at all",
        "For 90 s",
        "For 7 d",
    ]


# --- programs to copy ---


def test_programs_have_the_address_and_the_uuid_and_are_whole() -> None:
    url, uuid = "http://127.0.0.1:3000", "f70b5130-e750-11f1-bff6-9bfab1b9b17d"
    program = python_program(url, uuid, "temperature")
    compile(program, "program.py", "exec")
    texts = (node_program(url, uuid, "temperature"), data_line(url, uuid, "temperature"))
    for text in (program, *texts, message_lines(url, uuid)):
        assert url in text
        assert uuid in text
    assert "X-ApiKey" in first_lines(url, is_open=False)
    assert "X-ApiKey" not in first_lines(url, is_open=True)
