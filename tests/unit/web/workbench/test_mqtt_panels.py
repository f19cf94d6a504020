"""What was sent and heard over MQTT, in words; and programs to copy."""

import pytest

from thingtank.protocols.mqtt.broker_facts import Answer, HeardMessage, SeenPacket
from thingtank.protocols.mqtt.properties import Properties
from thingtank.protocols.mqtt.reason_codes import ReasonCode
from thingtank.web.workbench.mqtt_lists import asked_of
from thingtank.web.workbench.mqtt_panels import shown_answer, shown_message, shown_packet
from thingtank.web.workbench.mqtt_snippets import (
    mosquitto_snippet,
    paho_snippet,
    thingtank_snippet,
)

ANSWERS: list[tuple[Answer, str, bool, str, str]] = [
    (Answer("", 5), "Sent", True, "", "unanswered"),
    (Answer("PUBACK", 5, (ReasonCode.SUCCESS,)), "PUBACK", True, "0x00 Success", ""),
    (Answer("SUBACK", 5, (ReasonCode.SUCCESS,)), "SUBACK", True, "0x00 Granted QoS 0", ""),
    (Answer("SUBACK", 5, (ReasonCode.GRANTED_QOS_2,)), "SUBACK", True, "0x02 Granted QoS 2", ""),
    (
        Answer("PUBACK", 5, (ReasonCode.NO_MATCHING_SUBSCRIBERS,)),
        "PUBACK",
        True,
        "0x10 No matching subscribers",
        "It arrived, and nobody has subscribed to this topic.",
    ),
    (
        Answer("PUBREC", 5, (ReasonCode.NOT_AUTHORIZED,)),
        "PUBREC",
        False,
        "0x87 Not authorized",
        "Your account may not use this topic: see the setting `mqtt.acl`.",
    ),
    (
        Answer("DISCONNECT", 5, (ReasonCode.SERVER_SHUTTING_DOWN,), is_over=True),
        "DISCONNECT",
        False,
        "0x8B Server shutting down",
        "",
    ),
    (Answer("", 5, is_late=True), "No answer", False, "", "Nothing came back in time."),
    (Answer("", 5, is_over=True), "Closed", False, "", "The broker has closed the connection."),
]


@pytest.mark.parametrize(("answer", "name", "is_good", "reason", "words"), ANSWERS)
def test_answers_say_what_became_of_it(
    answer: Answer, name: str, is_good: bool, reason: str, words: str
) -> None:
    shown = shown_answer(answer, "unanswered")
    assert (shown.name, shown.is_good, shown.uri, shown.words) == (name, is_good, reason, words)


def test_a_message_tells_how_it_came_and_its_properties() -> None:
    properties = Properties(
        content_type="text/plain",
        correlation_data=b"\x01",
        message_expiry_interval=60,
        user_properties=(("unit", "°C"), ("unit", "again")),
    )
    shown = shown_message(HeardMessage("a", 5_000_000, "on", 2, 1, True, True, properties))
    assert (shown.topic, shown.at_ms, shown.note) == ("a", 5000, "QoS 1, retained, dup")
    assert sorted(shown.details.splitlines()) == [
        "content type: text/plain",
        "correlation data: 01",
        "message expiry interval: 60",
        "unit: again",
        "unit: °C",
    ]
    assert shown_message(HeardMessage("a", 0, "", 0, 0, False, False)).text == "no payload"


def test_a_packet_tells_its_fields() -> None:
    fields = {"filters": [{"topic_filter": "a/#", "no_local": True}], "packet_id": 7}
    shown = shown_packet(SeenPacket(5_000, True, "SUBSCRIBE", fields, 1234))
    assert (shown.topic, shown.note) == ("SUBSCRIBE", "from the client, 1,234 bytes")
    assert shown.text == "filters: topic_filter a/#, no_local yes\npacket_id: 7"


def test_an_address_that_asks_for_nonsense_gets_the_usual() -> None:
    asked = asked_of({"show": "x", "sort": "y", "page": "²", "after": "z" * 100_000})
    assert (asked.show, asked.query.sort, asked.query.page) == ("clients", "newest", 1)
    assert len(asked.query.after) == 65_535
    assert asked_of({"show": "retained", "sort": "newest"}).query.sort == ""


def test_commands_and_programs_have_the_address_and_who_comes_in() -> None:
    assert thingtank_snippet("mqtt://h:1").startswith("thingtank mqtt sub -L mqtt://h:1/test/topic")
    assert "-u 'a b' -P PASSWORD" in mosquitto_snippet("mqtt://h:1", "a b")
    assert "-h h -p 8883 --tls-use-os-certs" in mosquitto_snippet("mqtts://h")
    code = paho_snippet("wss://tank.example/mqtt", "ann")
    compile(code, "paho", "exec")
    assert 'transport="websockets"' in code
    assert 'ws_set_options(path="/mqtt")' in code
    assert "tls_set()" in code
    assert 'client.connect("tank.example", 443)' in code
    assert "username_pw_set('ann', getpass())" in code
    assert thingtank_snippet("wss://tank.example/mqtt").startswith(
        "thingtank mqtt sub -L wss://tank.example/test/topic"
    )
