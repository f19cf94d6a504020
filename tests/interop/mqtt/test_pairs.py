"""Each client with itself by each of its ways, and with each other client."""

from collections import Counter
from collections.abc import Callable

import pytest
from tests.interop.mqtt.client import Client, Properties, Publication, Received
from tests.interop.mqtt.ways import PAIRS, WAYS, Way

Open = Callable[..., Client]
LARGE = bytes(range(256)) * 1200
PAYLOADS = {"text": "zwei, 二".encode(), "octets": bytes(range(256)), "empty": b"", "large": LARGE}

pairs = pytest.mark.parametrize(
    ("publisher", "subscriber"), PAIRS, ids=lambda way: f"{way.client}{way.version}{way.transport}"
)
ways = pytest.mark.parametrize("way", WAYS, ids=str)


@pairs
def test_messages_of_each_qos_arrive_whole(
    open_client: Open, publisher: Way, subscriber: Way, unused: str
) -> None:
    for_each = {
        qos: open_client(subscriber, filters=((f"{unused}/+/q{qos}/#", 2 - qos),)) for qos in (0, 2)
    }
    all_of_it = open_client(subscriber, filters=((f"{unused}/#", 2),))
    source = open_client(publisher)
    sent = []
    for qos in (0, 1, 2):
        for name, payload in PAYLOADS.items():
            if name == "large" and qos != 1:
                continue
            sent.append(Received(f"{unused}/{name}/q{qos}/a", payload, qos, False))
            source.publish(Publication(*sent[-1]))
    assert all_of_it.received(len(sent)) == sent
    for qos, receiver in for_each.items():
        wanted = [each._replace(qos=min(qos, 2 - qos)) for each in sent if each.qos == qos]
        assert receiver.received(len(wanted)) == wanted


@pairs
def test_retained_message_is_there_for_who_comes_later_until_it_is_removed(
    open_client: Open, publisher: Way, subscriber: Way, unused: str
) -> None:
    source = open_client(publisher)
    source.publish(Publication(f"{unused}/a", b"old", 1, True))
    source.publish(Publication(f"{unused}/a", b"\0new\xff", 1, True))
    source.publish(Publication(f"{unused}/b", b"gone", 1, True))
    source.publish(Publication(f"{unused}/b", b"", 1, True))
    receiver = open_client(subscriber, filters=((f"{unused}/+", 1),))
    source.publish(Publication(f"{unused}/c", b"now", 1, True))
    assert receiver.received(2) == [
        Received(f"{unused}/a", b"\0new\xff", 1, True),
        Received(f"{unused}/c", b"now", 1, False),
    ]
    for topic in ("a", "c"):
        source.publish(Publication(f"{unused}/{topic}", b"", 1, True))


@pairs
def test_messages_wait_for_a_session_while_its_client_is_away(
    open_client: Open, publisher: Way, subscriber: Way, unused: str
) -> None:
    login = {"client_id": f"{unused} away", "session_s": 3600, "filters": ((f"{unused}/#", 2),)}
    away, source = open_client(subscriber, **login), open_client(publisher)
    source.publish(Publication(f"{unused}/first", b"here", 2))
    assert away.received(1) == [Received(f"{unused}/first", b"here", 2, False)]
    away.close()
    sent = [
        Received(f"{unused}/a", b"%d" % number, qos, False)
        for number, qos in enumerate((1, 2, 1, 2))
    ]
    for each in (Received(f"{unused}/0", b"lost", 0, False), *sent):
        source.publish(Publication(*each))
    again = open_client(subscriber, **login)
    # In order within each QoS: clients show messages of QoS 2 once they are released.
    got = sorted(again.received(len(sent)), key=lambda each: each.qos)
    assert got == sorted(sent, key=lambda each: each.qos)
    again.close()
    open_client(subscriber, client_id=f"{unused} away", filters=(("other", 0),)).close()


@ways
def test_will_is_published_when_its_client_is_gone_without_a_word(
    open_client: Open, way: Way, unused: str
) -> None:
    witness = open_client(Way("paho", "tcp", 5), filters=((f"{unused}/#", 2),))
    for number, leaves in enumerate(("close", "drop", "drop")):
        will = Publication(f"{unused}/will", b"%d" % number, number, False)
        getattr(open_client(way, will=will), leaves)()
    # What mosquitto_sub says in MQTT 5 when it is told to stop is "Disconnect with Will Message".
    wanted = [0, 1, 2] if way == Way("mosquitto", "tcp", 5) else [1, 2]
    got = [(each.payload, each.qos) for each in witness.received(len(wanted))]
    assert got == [(b"%d" % number, number) for number in wanted]


@pytest.mark.parametrize(
    ("requester", "responder"),
    [pair for pair in PAIRS if {way.version for way in pair} == {5}],
    ids=lambda way: f"{way.client}{way.transport}",
)
def test_request_is_answered_where_its_properties_say(
    open_client: Open, requester: Way, responder: Way, unused: str
) -> None:
    asking = open_client(requester, filters=((f"{unused}/answers", 1),))
    answering = open_client(responder, filters=((f"{unused}/requests", 1),))
    wanted = Properties(
        (("who", "me"), ("who", "too"), ("ä", "二")), "text/x", f"{unused}/answers", b"number-7"
    )
    asking.publish(Publication(f"{unused}/requests", b"what?", 1, False, wanted))
    (request,) = answering.received(1)
    assert request == Received(f"{unused}/requests", b"what?", 1, False, wanted)
    told = Properties(correlation_data=request.properties.correlation_data)
    answering.publish(Publication(request.properties.response_topic, b"that", 1, False, told))
    assert asking.received(1) == [Received(f"{unused}/answers", b"that", 1, False, told)]


def test_shared_subscription_gives_each_message_to_one_of_all_clients(
    open_client: Open, unused: str
) -> None:
    filters = ((f"$share/{unused}/{unused}/+", 1),)
    group = [open_client(way, filters=filters) for way in WAYS]
    source = open_client(Way("paho", "tcp", 5))
    for number in range(3 * len(group)):
        source.publish(Publication(f"{unused}/a", b"%d" % number, 1))
    got = [each.payload for client in group for each in client.received(3)]
    assert Counter(got) == Counter(b"%d" % number for number in range(3 * len(group)))
