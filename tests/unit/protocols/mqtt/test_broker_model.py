"""Whatever clients, the disk and crashes do: each message comes as often as its QoS says, in order.

Clients publish, are gone and back at any instant; the broker crashes and begins anew with what is
on disk. In the end all come back and finish.

Source: MQTT 5, 4.3, 4.4, 4.6 and 4.9.
"""

from collections import Counter, defaultdict

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule
from tests.unit.protocols.mqtt.model_client import RECEIVE_MAXIMUM, Client, Sent, World

TURNS_MAX = 5_000
INDEXES = st.integers(0, 2)


class BrokerMachine(RuleBasedStateMachine):
    """Three clients, all of which hear all."""

    @initialize(
        versions=st.tuples(*[st.sampled_from([3, 4, 5, 5])] * 3),
        qos=st.tuples(*[st.sampled_from([0, 1, 2, 2])] * 3),
    )
    def begin(self, versions: tuple, qos: tuple) -> None:
        self.world = World()
        self.clients = [
            Client(self.world, f"c{each}", versions[each], qos[each]) for each in range(3)
        ]
        self.sent: list[Sent] = []
        self.hearers: dict[int, list[Client]] = {}
        self.retained: dict[str, bytes] = {}
        self.retained_on_disk: dict[str, bytes] = {}

    def absent(self) -> list[Client]:
        return [each for each in self.clients if each.connection is None]

    def present(self) -> list[Client]:
        return [each for each in self.clients if each.connection is not None]

    @precondition(lambda self: self.absent())
    @rule(index=INDEXES, receive_maximum=st.sampled_from([1, 2, 65_535]))
    def connect(self, index: int, receive_maximum: int) -> None:
        absent = self.absent()
        client = absent[index % len(absent)]
        self.note_retained(client)
        client.connect(receive_maximum)

    def note_retained(self, client: Client) -> None:
        """What it sends again may be retained again."""
        for each in client.outgoing.values():
            if each.is_retain:
                self.retained[each.sent.topic] = b"%d" % each.sent.number

    @precondition(lambda self: self.present())
    @rule(index=INDEXES, is_noticed=st.booleans())
    def lose_connection(self, index: int, is_noticed: bool) -> None:
        present = self.present()
        client = present[index % len(present)]
        if is_noticed:
            client.lose_connection()
        else:  # the broker finds out when it is back
            client.connection = None

    @precondition(lambda self: self.present())
    @rule(
        index=INDEXES,
        topic=st.sampled_from(["t/a", "t/b"]),
        qos=st.integers(0, 2),
        count=st.integers(1, 3),
        is_retain=st.sampled_from([False, False, True]),
    )
    def publish(self, index: int, topic: str, qos: int, count: int, is_retain: bool) -> None:
        present = self.present()
        client = present[index % len(present)]
        if is_retain:
            topic, qos = f"r/{topic}", 1
        for _ in range(count):
            if len(client.outgoing) >= RECEIVE_MAXIMUM:
                return
            sent = Sent(client.name, len(self.sent), topic, qos)
            self.sent.append(sent)
            self.hearers[sent.number] = [each for each in self.clients if each.is_subscribed]
            if is_retain:
                self.retained[topic] = b"%d" % sent.number
            client.publish(sent, is_retain=is_retain)

    @precondition(lambda self: any(each.inbox for each in self.present()))
    @rule(index=INDEXES, count=st.integers(1, 4))
    def read(self, index: int, count: int) -> None:
        reading = [each for each in self.present() if each.inbox]
        client = reading[index % len(reading)]
        for _ in range(min(count, len(client.inbox))):
            client.read()

    @rule()
    def sync(self) -> None:
        self.retained_on_disk = dict(self.retained)
        self.world.sync()

    @rule()
    def crash(self) -> None:
        self.world.crash()
        self.retained = dict(self.retained_on_disk)
        self.check_retained()

    def check_retained(self) -> None:
        found = {each.topic: each.payload for each in self.world.disk.content.retained.values()}
        assert found == self.retained
        for topic in self.retained:
            kept = self.world.broker.retained.get(topic, 0)
            assert kept is not None
            assert kept.payload == self.retained[topic]

    def teardown(self) -> None:
        if not hasattr(self, "world"):
            return
        for client in self.absent():
            self.note_retained(client)
            client.connect(65_535)
        for _ in range(TURNS_MAX):
            self.sync()
            if not any(each.inbox for each in self.clients):
                break
            for client in self.clients:
                while client.inbox:
                    client.read()
        else:
            raise AssertionError("it does not come to an end")
        for client in self.clients:
            assert not client.outgoing
            assert not client.incoming
            self.check_heard(client)
        self.check_retained()
        for each in self.world.disk.content.sessions:
            assert not each.deliveries
            assert not each.received

    def check_heard(self, client: Client) -> None:
        counts = Counter(number for number, _ in client.got)
        for sent in self.sent:
            qos, count = min(sent.qos, client.qos), counts.pop(sent.number, 0)
            if not sent.topic.startswith("t/"):
                assert count == 0
                continue
            if qos and client in self.hearers[sent.number]:
                assert count, f"{sent} is lost for {client.name}"
            if qos == 2 or sent.qos == 0:
                assert count <= 1, f"{sent} came to {client.name} {count} times"
        assert not counts, "never sent"
        self.check_order(client)

    def check_order(self, client: Client) -> None:
        firsts: dict[tuple[str, str, int], list[int]] = defaultdict(list)
        for number, qos in client.got:
            sent = self.sent[number]
            assert qos == min(sent.qos, client.qos)
            if client not in self.hearers[number]:
                continue  # it came to the broker once before, and now again
            came = firsts[sent.publisher, sent.topic, sent.qos]
            if number not in came:
                came.append(number)
        for came in firsts.values():
            assert came == sorted(came), f"out of order: {came}"


TestBroker = BrokerMachine.TestCase
TestBroker.settings = settings(
    max_examples=40,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
