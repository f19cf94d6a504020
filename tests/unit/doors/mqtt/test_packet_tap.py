"""One client's packets, decoded: found however octets come, bounded, and without secrets."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from thingtank.doors.mqtt.packet_tap import (
    HEAD_BYTES_MAX,
    HIDDEN,
    PACKETS_MAX,
    PacketTap,
    without_key,
)
from thingtank.protocols.mqtt.broker_facts import payload_text
from thingtank.protocols.mqtt.messages import Subscription
from thingtank.protocols.mqtt.packets import (
    Auth,
    Connect,
    ConnectWill,
    Packet,
    Pingreq,
    Puback,
    Publish,
    Suback,
    Subscribe,
)
from thingtank.protocols.mqtt.properties import Properties
from thingtank.protocols.mqtt.reason_codes import ReasonCode
from thingtank.protocols.mqtt.serializer import serialize


def tap() -> PacketTap:
    return PacketTap(5, b"", lambda: 7)


FROM_CLIENT: list[Packet] = [
    Pingreq(),
    Publish("a/b", b"21.5", 1, packet_id=3, properties=Properties(user_properties=(("x", "y"),))),
    Publish("large", b"z" * 10_000),
    Subscribe(4, (Subscription("a/#", 1),)),
    Puback(9, ReasonCode.NO_MATCHING_SUBSCRIBERS),
]


@given(st.lists(st.integers(1, 3000), max_size=30))
def test_packets_are_found_however_their_octets_come(sizes: list[int]) -> None:
    octets = b"".join(serialize(packet, 5) for packet in FROM_CLIENT)
    looked = tap()
    for size in [*sizes, len(octets)]:
        looked.data_received(octets[:size])
        octets = octets[size:]
    seen = looked.take(100)
    assert [each.name for each in seen] == ["PINGREQ", "PUBLISH", "PUBLISH", "SUBSCRIBE", "PUBACK"]
    assert seen[1].fields == {
        "topic": "a/b",
        "payload": "21.5",
        "qos": 1,
        "packet_id": 3,
        "user_properties": [["x", "y"]],
    }
    assert seen[2].size_bytes == 10_011
    assert str(seen[2].fields["payload"]).endswith("z … 10,000 bytes")
    assert seen[3].fields["filters"] == [{"topic_filter": "a/#", "qos": 1}]
    assert seen[4].fields["reason_code"] == "NO_MATCHING_SUBSCRIBERS (0x10)"
    assert all(each.is_from_client and each.at_us == 7 for each in seen)


def test_what_is_sent_to_the_client_is_read_as_a_client_reads_it() -> None:
    looked = tap()
    looked.data_sent(serialize(Suback(4, (ReasonCode.NOT_AUTHORIZED,)), 5))
    (seen,) = looked.take(1)
    assert (seen.name, seen.is_from_client) == ("SUBACK", False)
    assert seen.fields == {"packet_id": 4, "reason_codes": ["NOT_AUTHORIZED (0x87)"]}


def test_secrets_are_not_shown() -> None:
    looked = tap()
    will = ConnectWill("gone", b"bye")
    connect = Connect(5, "c", will=will, user_name="secret-key", password=b"secret-word")
    looked.data_received(serialize(connect, 5))
    data = Properties(authentication_method="SCRAM-SHA-256", authentication_data=b"secret-proof")
    looked.data_received(serialize(Auth(ReasonCode.CONTINUE_AUTHENTICATION, data), 5))
    looked.data_received(serialize(Publish("secret-key/v2/feeds/1.json", b"{}"), 5))
    filters = (Subscription("secret-key/v2/feeds/1.json"),)
    looked.data_received(serialize(Subscribe(1, filters), 5))
    seen = looked.take(10)
    assert len(seen) == 4
    assert "secret" not in repr(seen)
    assert seen[0].fields["password"] == seen[0].fields["user_name"] == HIDDEN
    assert seen[0].fields["will"] == {"topic": "gone", "payload": "bye", "qos": 0}
    assert without_key("home/v2/x") == "home/v2/x"


def test_only_the_newest_are_kept_and_of_each_its_beginning() -> None:
    looked = tap()
    for number in range(PACKETS_MAX + 50):
        looked.data_received(serialize(Publish(str(number), b"x" * 2 * HEAD_BYTES_MAX), 5))
    assert looked.count == PACKETS_MAX + 50
    assert sum(len(head) for _, _, head, _ in looked._kept) <= PACKETS_MAX * HEAD_BYTES_MAX
    assert [each.fields["topic"] for each in looked.take(2)] == ["248", "249"]
    assert looked.take(2) == []


def test_rubbish_is_shown_as_what_it_is_and_no_length_at_all_ends_it() -> None:
    looked = tap()
    looked.data_received(b"\x80\x02\x00\x01")
    (seen,) = looked.take(1)
    assert (seen.name, list(seen.fields)) == ("SUBSCRIBE", ["octets"])
    looked.data_received(b"\x30\xff\xff\xff\xff\xff")
    looked.data_received(serialize(Pingreq(), 5))
    assert looked.take(1) == []


@pytest.mark.parametrize(
    ("payload", "size_bytes", "text"),
    [
        (b"", None, ""),
        (b"on", None, "on"),
        ("°C".encode(), None, "°C"),
        (b"\x00\x01", None, "00 01"),
        (b"a\xff", None, "61 ff"),
        (b"x" * 40, None, f"{'x' * 30} … 40 bytes"),
        ("x°°°°°°°°°°°°°°°°°".encode(), None, f"x{'°' * 14} … 35 bytes"),
        (b"ab", 2000, "ab … 2,000 bytes"),
    ],
)
def test_payloads_are_text_where_they_can_be(
    payload: bytes, size_bytes: int | None, text: str
) -> None:
    assert payload_text(payload, 30, size_bytes) == text
