"""Deliveries as pages show them: no passwords, whatever the receiver answered."""

import msgspec
import pytest
from tests.deliveries import delivery_to

from thingtank.stores.memory_archive import MemoryArchive
from thingtank.stores.memory_directory import MemoryDirectory
from thingtank.tank.deliveries import Attempt, DeliveryState
from thingtank.tank.tank import Tank
from thingtank.web.workbench.delivery_panels import (
    ANSWER_CHARS_SHOWN,
    attempt_row,
    delivery_row,
    document_of,
    pretty,
    shown_target,
)

TARGETS = [
    ("https://example.com/hook?a=1", "https://example.com/hook?a=1"),
    ("https://user:secret@example.com:8443/x", "https://user:…@example.com:8443/x"),
    ("https://user@example.com/x", "https://user@example.com/x"),
    ("you@example.com", "you@example.com"),
    ("http://[broken", "http://[broken"),
]


@pytest.mark.parametrize(("target", "shown"), TARGETS)
def test_a_password_is_not_shown(target: str, shown: str) -> None:
    assert shown_target(target) == shown


def test_a_row_survives_its_trigger_and_its_device() -> None:
    tank = Tank(MemoryDirectory(), MemoryArchive())
    dead = msgspec.structs.replace(delivery_to("http://r.example/"), state=DeliveryState.DEAD)
    row = delivery_row(tank, dead, [Attempt(1, 2, 500, b"\xff" + b"x" * 999, "no")])
    assert row.sentence == "Trigger 1, deleted since"
    assert row.device_title == ""
    assert row.answer == "\ufffd" + "x" * (ANSWER_CHARS_SHOWN - 1)
    assert (row.may_retry, row.may_cancel) == (True, False)


HOOKS = [
    ("received", "Message received, sent on"),
    ("message.sent", "Message sent, sent on"),
    ("broadcast.sent", "Broadcast, sent on"),
    ("config", "Change of the device, sent on"),
    ("of another version", "Message received, sent on"),
]


@pytest.mark.parametrize(("kind", "sentence"), HOOKS)
def test_a_hooks_delivery_tells_what_is_sent_on_and_names_no_trigger(
    kind: str, sentence: str
) -> None:
    tank = Tank(MemoryDirectory(), MemoryArchive())
    body = msgspec.json.encode({"list_name": "x", "type": kind, "content": {"payload": 1}})
    delivery = delivery_to("u-8", body, "forward")
    row = delivery_row(tank, msgspec.structs.replace(delivery, trigger_id=0))
    assert (row.sentence, row.channel, row.target, row.value) == (sentence, "Forward", "u-8", "")


def test_a_hooks_delivery_of_another_version_is_shown_all_the_same() -> None:
    tank = Tank(MemoryDirectory(), MemoryArchive())
    delivery = msgspec.structs.replace(
        delivery_to("http://a.example/", b"{}", "hook"), trigger_id=0
    )
    assert delivery_row(tank, delivery).sentence == "Message received, sent on"
    assert document_of(delivery) == b"{}"


def test_of_a_hook_only_what_is_sent_is_shown() -> None:
    body = b'{"list_name":"x","type":"received","content":{"payload":1}}'
    delivery = delivery_to("http://a.example/", body, "hook")
    assert document_of(msgspec.structs.replace(delivery, trigger_id=0)) == b'{"payload":1}'
    assert document_of(delivery) == body  # a trigger's


DOCUMENTS = [
    (b'{"triggering_datastream":{"value":{"value":"31.5"}}}', "31.5"),
    (b'{"triggering_datastream":{"value":{}}}', ""),
    (b"{}", ""),
    (b"\xff", ""),
]


@pytest.mark.parametrize(("document", "value"), DOCUMENTS)
def test_the_value_that_made_it_fire_is_told(document: bytes, value: str) -> None:
    tank = Tank(MemoryDirectory(), MemoryArchive())
    assert delivery_row(tank, delivery_to("http://r.example/", document)).value == value


def test_an_attempt_tells_how_long_it_took() -> None:
    assert attempt_row(Attempt(1, 34_400, 200)).duration_text == "34 ms"
    row = attempt_row(Attempt(1, 10_020_000, None, b"", "no answer within 10 s"))
    assert (row.duration_text, row.is_good) == ("10.0 s", False)


def test_a_document_is_shown_whatever_it_is() -> None:
    assert pretty(b'{"a":"\xc3\xa4"}') == '{\n  "a": "ä"\n}'
    assert pretty(b"\xff{") == "\ufffd{"
