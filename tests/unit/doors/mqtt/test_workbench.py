"""The broker as the workbench uses it: with whose rights, what is seen of others, and bounds."""

import asyncio

import pytest
from tests.unit.doors.mqtt.houses import House
from tests.unit.doors.mqtt.open_door import Client, OpenDoor

from thingtank.doors.mqtt import workbench as module
from thingtank.net.identity.principals import AccountPrincipal
from thingtank.protocols.mqtt.messages import Message, Subscription
from thingtank.protocols.mqtt.packets import Disconnect, Pingreq, Publish, Subscribe
from thingtank.protocols.mqtt.properties import Properties
from thingtank.protocols.mqtt.reason_codes import ReasonCode
from thingtank.protocols.overviews import ListQuery
from thingtank.tank.access import Caller
from thingtank.tank.errors import LimitReached, Unauthenticated

EVERYTHING = ListQuery()
KEPT = Properties(session_expiry_interval=600)


@pytest.fixture
async def opened() -> OpenDoor:
    return OpenDoor(await House.build())


def client_of_alice(opened: OpenDoor, client_id: str = "alices") -> Client:
    account_id = opened.house.alice.account_id
    return Client(opened, client_id, f"account:{account_id}", AccountPrincipal(account_id))


async def test_an_admin_sees_all_clients_and_others_their_own(opened: OpenDoor) -> None:
    Client(opened, "stranger").send(Subscribe(1, (Subscription("private/x"),)))
    mine = client_of_alice(opened)
    mine.send(Subscribe(1, (Subscription("a/#"), Subscription("SECRET/v2/feeds/1.json"))))
    device = f"device:{opened.house.device.uuid}"
    Client(opened, "alices device", device)
    seen = {
        name: [row.client_id for row in opened.workbench.view(caller).clients(EVERYTHING).rows]
        for name, caller in (("root", opened.root), ("alice", opened.alice), ("bob", opened.bob))
    }
    assert sorted(seen["root"]) == ["alices", "alices device", "stranger"]
    assert sorted(seen["alice"]) == ["alices", "alices device"]
    assert seen["bob"] == []
    filters = opened.workbench.view(opened.alice).filters(EVERYTHING).rows
    assert [(row.topic_filter, row.subscriber_count) for row in filters] == [("a/#", 1)]
    filters = opened.workbench.view(opened.root).filters(EVERYTHING).rows
    assert [row.topic_filter for row in filters] == ["a/#", "private/x"]
    assert opened.workbench.view(opened.bob).facts().traffic is None
    with pytest.raises(Unauthenticated):
        opened.workbench.view(Caller())


async def test_only_who_sees_a_client_can_end_it(opened: OpenDoor) -> None:
    mine = client_of_alice(opened)
    assert not opened.workbench.close_client(opened.bob, "alices")
    assert opened.workbench.close_client(opened.alice, "alices")
    opened.flush()
    (*_, farewell) = mine.packets
    assert isinstance(farewell, Disconnect)
    assert farewell.reason_code is ReasonCode.ADMINISTRATIVE_ACTION
    assert not opened.workbench.close_client(opened.root, "alices")


async def test_the_session_of_a_client_that_is_away_can_be_ended(opened: OpenDoor) -> None:
    Client(opened, "away", properties=KEPT).close()
    row = opened.workbench.view(opened.root).client("away")
    assert row is not None
    assert (row.is_connected, row.is_persistent) == (False, True)
    assert opened.workbench.close_client(opened.root, "away")
    assert opened.broker.sessions == {}


async def test_retained_messages_have_pages_and_are_deleted_for_subscribers_too(
    opened: OpenDoor,
) -> None:
    for number in range(120):
        opened.broker.publish(Message(f"t/{number:03}", b"x", is_retain=True))
    opened.broker.publish(Message("$SYS/broker/uptime", b"1 seconds", is_retain=True))
    view = opened.workbench.view(opened.root)
    found: list[str] = []
    after = ""
    while True:
        page = view.retained(ListQuery(after=after))
        found += [row.topic for row in page.rows]
        after = page.next_after
        if not after:
            break
    assert found == [f"t/{number:03}" for number in range(120)]
    assert [row.topic for row in view.retained(ListQuery("t/11")).rows] == found[110:]
    assert [row.topic for row in view.sys(EVERYTHING).rows] == ["$SYS/broker/uptime"]
    assert (view.facts().retained_count, view.facts().sys_count) == (120, 1)
    listener = Client(opened, "listener")
    listener.send(Subscribe(1, (Subscription("t/119"),)))
    assert opened.workbench.delete_retained(opened.root, "t/119")
    opened.flush()
    assert listener.packets[-1] == Publish("t/119", b"")
    assert not opened.workbench.delete_retained(opened.root, "t/119")


async def test_retained_messages_of_others_devices_are_neither_seen_nor_deleted(
    opened: OpenDoor,
) -> None:
    topic = f"{opened.house.device.uuid}/state"
    opened.broker.publish(Message(topic, b"on", is_retain=True))
    assert opened.workbench.view(opened.bob).retained(EVERYTHING).rows == []
    assert not opened.workbench.delete_retained(opened.bob, topic)
    assert opened.workbench.view(opened.alice).retained(EVERYTHING).rows[0].preview == "on"
    assert opened.workbench.delete_retained(opened.alice, topic)


PUBLISHED: list[tuple[int, str, str, list[ReasonCode]]] = [
    (0, "a", "", []),
    (1, "a", "PUBACK", [ReasonCode.SUCCESS]),
    (2, "a", "PUBREC, PUBCOMP", [ReasonCode.SUCCESS]),
    (1, "nobody", "PUBACK", [ReasonCode.NO_MATCHING_SUBSCRIBERS]),
    (1, "$other", "PUBACK", [ReasonCode.NOT_AUTHORIZED]),
    (2, "$other", "PUBREC", [ReasonCode.NOT_AUTHORIZED]),
]


@pytest.mark.parametrize(("qos", "topic", "name", "codes"), PUBLISHED)
async def test_what_is_published_is_answered_as_the_broker_answers(
    opened: OpenDoor, qos: int, topic: str, name: str, codes: list[ReasonCode]
) -> None:
    Client(opened, "listener").send(Subscribe(1, (Subscription("a"),)))
    packet = Publish(topic, b"x", qos, packet_id=1 if qos else 0)
    answer = await opened.workbench.publish(opened.bob, packet)
    assert (answer.name, list(answer.reason_codes)) == (name, codes)
    assert [each for each in opened.broker.sessions if each.startswith("workbench")] == []


async def test_a_topic_filter_is_heard_with_all_that_a_message_has(opened: OpenDoor) -> None:
    subscription = Subscription("a/#", 2, retain_as_published=True)
    sender = Client(opened, "sender")
    properties = Properties(content_type="text/plain", user_properties=(("unit", "C"),))
    async with opened.workbench.listen(opened.bob, subscription) as heard:
        assert heard.subscribed.reason_codes == (ReasonCode.GRANTED_QOS_2,)
        for qos in (0, 1, 2):
            packet_id = qos
            sender.send(Publish("a/b", b"21.5", qos, True, False, packet_id, properties))
        await asyncio.sleep(0.01)
        messages = heard.take(10)
        assert [(m.qos, m.is_retain, m.text) for m in messages] == [
            (0, True, "21.5"),
            (1, True, "21.5"),
            (2, True, "21.5"),
        ]
        assert messages[0].properties == properties
        (session,) = (s for s in opened.broker.sessions.values() if s.client_id != "sender")
        assert session.inflight == {}  # it was all acknowledged
        opened.workbench.close_client(opened.root, session.client_id)
        await asyncio.sleep(0.01)
        assert heard.farewell is not None
        assert heard.farewell.reason_codes == (ReasonCode.ADMINISTRATIVE_ACTION,)


async def test_a_topic_filter_that_may_not_be_heard_is_refused(opened: OpenDoor) -> None:
    async with opened.workbench.listen(opened.bob, Subscription("$SYS/#")) as heard:
        assert heard.subscribed.reason_codes == (ReasonCode.NOT_AUTHORIZED,)


async def test_packets_are_seen_while_somebody_looks_also_when_the_client_comes_back(
    opened: OpenDoor,
) -> None:
    client = client_of_alice(opened)
    with opened.workbench.watch(opened.bob, "alices") as refused:
        assert refused is None
    link = opened.door.links[client.connection]
    with (
        opened.workbench.watch(opened.alice, "alices") as watched,
        opened.workbench.watch(opened.root, "alices") as other,
    ):
        assert watched is not None
        assert other is not None
        client.send(Pingreq())
        assert [each.name for each in watched.take(10)] == ["PINGREQ", "PINGRESP"]
        client.close()
        again = client_of_alice(opened)
        assert watched.take(10) == []
        again.send(Pingreq())
        assert [each.name for each in watched.take(10)] == ["PINGREQ", "PINGRESP"]
        assert watched.seen_count == 4
    assert opened.door.links[again.connection] is again
    assert link is client
    assert opened.door._tapped == {}


async def test_packets_are_not_seen_of_another_who_has_taken_the_client_id(
    opened: OpenDoor,
) -> None:
    client = client_of_alice(opened)
    with (
        opened.workbench.watch(opened.alice, "alices") as watched,
        opened.workbench.watch(opened.root, "alices") as other,
    ):
        assert watched is not None
        assert other is not None
        client.close()
        stranger = Client(opened, "alices")
        assert watched.take(10) == other.take(10) == []
        stranger.send(Pingreq())
        assert watched.take(10) == []
        assert [each.name for each in other.take(10)] == ["PINGREQ", "PINGRESP"]


async def test_there_is_room_for_so_many_visits(
    opened: OpenDoor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "VISITS_MAX", 1)
    async with opened.workbench.listen(opened.bob, Subscription("a")):
        with pytest.raises(LimitReached):
            await opened.workbench.publish(opened.root, Publish("a", b""))
    assert (await opened.workbench.publish(opened.root, Publish("a", b""))).name == ""
