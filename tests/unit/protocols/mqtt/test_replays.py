"""What is retained waits for its client without work for anybody."""

from tests.unit.protocols.mqtt.brokers import connect, make_broker, subscribe, taken

from thingtank.protocols.mqtt.messages import Message, Subscription
from thingtank.protocols.mqtt.packets import Pingreq, Puback, Subscribe, Unsubscribe
from thingtank.protocols.mqtt.properties import Properties
from thingtank.protocols.mqtt.serializer import serialize


async def test_client_that_acknowledges_nothing_keeps_no_turn_going() -> None:
    broker = make_broker()
    for number in range(4):
        broker.retain(Message(f"a/{number}", b"x", 1, True))
    client = connect(broker, "c", 5, properties=Properties(receive_maximum=2))
    subscribe(client, Subscription("a/#", 1))
    assert not broker.has_more
    client.receive_data(serialize(Puback(1), 5))
    assert b"a/2" in taken(client)
    assert taken(client) == b""  # the next turn finds that it has to wait
    assert not broker.has_more
    for packet_id in (2, 3, 4):
        client.receive_data(serialize(Puback(packet_id), 5))
        taken(client)
    assert not broker.has_more


async def test_client_that_reads_too_slowly_keeps_no_turn_going() -> None:
    broker = make_broker()
    for number in range(300):
        broker.retain(Message(f"a/{number:03}", b"x", 0, True))
    client = connect(broker, "c", 5)
    client.catch_up(is_behind=True)
    subscribe(client, Subscription("a/#", 0))
    assert not broker.has_more
    client.catch_up(is_behind=False)
    assert b"a/099" in taken(client)
    assert broker.has_more


async def test_few_filters_are_answered_in_the_turn_in_which_they_come() -> None:
    broker = make_broker()
    for topic in ("a", "b"):
        broker.retain(Message(topic, topic.encode(), 1, True))
    client = connect(broker, "c")
    filters = tuple(Subscription(each) for each in ("a", "b", "+", "none"))
    client.receive_data(serialize(Subscribe(1, filters), 4))
    octets = taken(client)
    assert (octets.count(b"\x00\x01aa"), octets.count(b"\x00\x01bb")) == (2, 2)
    assert not broker.has_more


async def test_many_filters_are_looked_at_in_many_turns() -> None:
    broker = make_broker()
    broker.retain(Message("a/b", b"x", 0, True))
    client = connect(broker, "c")
    nothing = tuple(Subscription(f"+/{number}") for number in range(100))
    filters = (*nothing, Subscription("+/b"), Subscription("+/b/#"))
    client.receive_data(serialize(Subscribe(1, filters), 4))
    session = client.session
    assert session is not None
    turns = 0
    while broker.has_more:
        assert session.replays is not None
        before = len(session.replays)
        broker.settle()
        assert before - len(session.replays or ()) <= 20
        turns += 1
    assert turns >= 4
    assert taken(client).count(b"\x00\x03a/bx") == 2


async def test_many_who_wait_cost_the_others_nothing() -> None:
    broker = make_broker()
    broker.retain(Message("a", b"x", 1, True))
    broker.retain(Message("b", b"x", 1, True))
    silent = [
        connect(broker, f"c-{number}", 5, properties=Properties(receive_maximum=1))
        for number in range(50)
    ]
    for client in silent:
        subscribe(client, Subscription("+", 1))
    for _ in range(10):
        broker.settle()
    assert not broker.has_more
    assert all(client.session and client.session.replays for client in silent)


async def test_retained_messages_come_before_the_answer_to_a_later_packet() -> None:
    broker = make_broker()
    for topic in ("a", "b"):
        broker.retain(Message(topic, b"x", 0, True))
    client = connect(broker, "c", 4)
    filters = (Subscription("a", 0), Subscription("b", 0))
    client.receive_data(serialize(Subscribe(1, filters), 4) + serialize(Pingreq(), 4))
    answers = taken(client)
    assert answers.count(b"\x31\x04\x00\x01") == 2
    assert answers.endswith(b"\xd0\x00")


async def test_who_subscribes_again_and_again_has_no_more_waiting_for_it() -> None:
    broker = make_broker()
    broker.retain(Message("a", b"x", 1, True))
    broker.retain(Message("b", b"x", 1, True))
    client = connect(broker, "c", 5, properties=Properties(receive_maximum=1))
    for _ in range(10):
        subscribe(client, Subscription("+", 1), Subscription("#", 1))
        subscribe(client, Subscription("a/#", 1))
        client.receive_data(serialize(Unsubscribe(2, ("a/#",)), 5))
    assert client.session is not None
    assert client.session.replays is not None
    assert len(client.session.replays) == 2


async def test_a_kept_session_gets_the_rest_when_it_is_back() -> None:
    broker = make_broker()
    for topic in ("a", "b", "c"):
        broker.retain(Message(topic, b"x", 1, True))
    kept = Properties(session_expiry_interval=60, receive_maximum=1)
    client = connect(broker, "c", 5, properties=kept)
    client.receive_data(serialize(Subscribe(1, (Subscription("+", 1),)), 5))
    client.close()
    client = connect(broker, "c", 5, clean_start=False, properties=kept)
    heard = b""
    for packet_id in (1, 2, 3):
        heard += taken(client)
        client.receive_data(serialize(Puback(packet_id), 5))
    heard += taken(client)
    assert b"\x01b" in heard
    assert b"\x01c" in heard
