"""What is published to topics, on its way to rules: on disk before anybody is told, in order."""

import asyncio
import json
from typing import Any

import pytest
import structlog
from tests.unit.protocols.mqtt.brokers import connect, make_broker, taken
from tests.unit.server.sinks import engine_for_tests
from tests.unit.server.sinks.sink_bench import Bench
from tests.unit.sinks.rules.fake_engine import FakeEngine
from tests.waiting import until

from thingtank.protocols.mqtt.messages import Message
from thingtank.protocols.mqtt.packets import Publish
from thingtank.protocols.mqtt.properties import Properties, forwarded_properties
from thingtank.protocols.mqtt.serializer import serialize
from thingtank.server.sinks import waiting_items
from thingtank.server.sinks.topics import topic_item
from thingtank.sinks.engine import EngineFailed, SendResult
from thingtank.sinks.engines.objects import PrefixSettings, objects_of
from thingtank.sinks.rules.templates import as_json, compile_template
from thingtank.stores import sink_file
from thingtank.stores.sink_file import SinkFile
from thingtank.tank.errors import Overloaded, StorageFailed
from thingtank.tank.failures import FailureKind

KEPT = Properties(session_expiry_interval=60)
AT_US = 1_795_772_365_764_573
KEY = "nnnGlTQ4BDnTwBK8wd1eMqk2oMeGsW8uH0eq9WfKcXSxkdCA"


def record(bench: Bench, topic: str, payload: str, qos: int = 1) -> asyncio.Future[None]:
    """Publish; who waits is told by the future, of QoS 0 nobody does."""
    told: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def recorded(error: Exception | None) -> None:
        told.set_result(None) if error is None else told.set_exception(error)

    message = Message(topic, payload.encode(), qos)
    bench.sinks.topics.record(message, recorded if qos else None)
    if not qos:
        told.set_result(None)
    return told


async def publish(bench: Bench, topic: str, *payloads: str, qos: int = 1) -> None:
    """Publish, and wait until all are on disk."""
    for told in [record(bench, topic, payload, qos) for payload in payloads]:
        await told


def arrived(engine: FakeEngine) -> list[tuple[str, str]]:
    return [(item.topic, item.value) for item in engine.delivered]


def topics(bench: Bench, *filters: str, **members: Any) -> Any:
    return bench.rule(send="topics", topics=filters, **members)


async def test_each_rule_gets_what_its_filters_match_once_and_in_order(bench: Bench) -> None:
    await bench.start(
        topics(bench, "plant/+/state", "plant/#", "plant/+/state"),
        topics(bench, "alarms/#", name="alarms", key="alarms"),
    )
    assert not bench.sinks.topics.wants("other")
    assert not bench.sinks.topics.wants("$other/plant")
    assert bench.sinks.topics.wants("alarms")
    await publish(bench, "plant/1/state", "on", "off", "on")
    await publish(bench, "alarms/fire", "yes")
    await publish(bench, "other", "not you")
    await bench.settled()
    await bench.settled("alarms")
    assert arrived(bench.engine) == [("plant/1/state", each) for each in ("on", "off", "on")]
    assert arrived(engine_for_tests.made["alarms"]) == [("alarms/fire", "yes")]
    assert len({item.item_id for item in bench.engine.delivered}) == 3
    assert bench.status().what == "topics plant/+/state, plant/#"
    assert bench.status().send == "topics"


async def test_messages_wait_on_disk_for_a_sink_that_is_away_over_a_crash(bench: Bench) -> None:
    gone = EngineFailed.of(FailureKind.UNREACHABLE, "no")
    bench.engine.open_answers.extend([gone] * 1000)
    await bench.start(topics(bench, "#"))
    await publish(bench, "a", "1", "2")
    await bench.crash()
    await bench.start(topics(bench, "#"))
    await publish(bench, "a", "3")
    assert bench.status().behind_count == 3
    bench.engine.open_answers.clear()
    bench.sinks.hurry("r")
    await bench.settled()
    assert bench.values == ["1", "2", "3"]


async def test_who_publishes_is_told_when_the_disk_fails_and_qos_0_is_counted(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise StorageFailed("no room on the disk")

    await bench.start(topics(bench, "#"))
    with monkeypatch.context() as patched:
        patched.setattr(SinkFile, "add_waiting", fail)
        with pytest.raises(StorageFailed, match="no room"):
            await publish(bench, "a", "1")
        await publish(bench, "a", "2", qos=0)
        await until(lambda: bench.status().missed_count == 1)
    await publish(bench, "a", "3")
    await bench.settled()
    assert bench.values == ["3"]


@pytest.mark.parametrize("qos", [1, 2])
async def test_on_a_full_disk_a_client_is_told_to_come_again_and_loses_nothing(
    bench: Bench, qos: int
) -> None:
    def limit(pages: int) -> None:
        store._file._connected().execute(f"PRAGMA max_page_count = {pages}")

    await bench.start(topics(bench, "#"))
    store = bench.sinks._store
    assert store is not None
    broker = make_broker()
    broker.recorder = bench.sinks.topics
    packet = Publish("a", b"x" * 100_000, qos, packet_id=1)
    for pages, answer in ((1, b"\xe0\x01\x89"), (2**30, (b"\x40" if qos == 1 else b"\x50"))):
        await store.run(lambda _, pages=pages: limit(pages))  # type: ignore[misc] # mypy infers no such lambda
        client = connect(broker, "c", 5, clean_start=False, properties=KEPT)
        client.receive_data(serialize(packet, 5))
        assert taken(client) == b""
        await until(lambda client=client: client.out)  # type: ignore[misc] # the same
        assert taken(client).startswith(answer)
        client.close()
    await bench.settled()
    assert bench.values == ["x" * 100_000]


async def test_what_is_large_is_read_a_few_at_a_time(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sink_file, "READ_BYTES_MAX", 1000)
    await bench.start(topics(bench, "#"))
    await bench.sinks.pause("r", True)
    await publish(bench, "a", *["x" * 600] * 5)
    assert bench.sinks._store is not None
    rows = await bench.sinks._store.run(lambda file: file.waiting("r", 0, 500))
    assert len(rows) == 2
    bench.engine.answers.append(lambda items: SendResult(refused={0: "no", 1: "no"}))
    await bench.sinks.pause("r", False)
    await bench.settled()
    await bench.sinks.retry("r", None)
    await until(lambda: len(bench.values) == 5)


async def test_beyond_the_bounds_qos_0_is_left_out_first_and_qos_1_is_refused(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting_items, "PENDING_MAX", 4)
    await bench.start(topics(bench, "#"))
    kept = [record(bench, "a", each) for each in "12"]
    assert bench.sinks.topics.is_behind
    caught_up = asyncio.Event()
    bench.sinks.topics.when_caught_up(caught_up.set)
    record(bench, "a", "left out", qos=0)
    kept += [record(bench, "a", each) for each in "34"]
    with pytest.raises(Overloaded, match="wait for the disk"):
        await record(bench, "a", "refused")
    await asyncio.gather(*kept)
    await asyncio.wait_for(caught_up.wait(), 5)
    await bench.settled()
    assert bench.values == ["1", "2", "3", "4"]
    assert bench.status().missed_count == 1


async def test_messages_beyond_what_may_wait_for_a_rule_are_counted(bench: Bench) -> None:
    await bench.start(topics(bench, "#"), messages_max=2)
    await bench.sinks.pause("r", True)
    await publish(bench, "a", "1", "2", "3")
    assert bench.status().missed_count == 1
    await bench.sinks.pause("r", False)
    await bench.settled()
    assert bench.values == ["1", "2"]


async def test_bytes_beyond_what_may_wait_for_a_rule_are_counted_over_restarts(
    bench: Bench,
) -> None:
    """The disk is the journal's too: anybody who may publish could fill it."""
    bounds = {"waiting_bytes_max": 2500}
    await bench.start(topics(bench, "#"), **bounds)
    await bench.sinks.pause("r", True)
    await publish(bench, "a", "1" * 1000, "2" * 1000, "3" * 1000)
    await publish(bench, "a", "4" * 1000, qos=0)
    assert bench.status().missed_count == 2
    await bench.restart(topics(bench, "#"), **bounds)
    await publish(bench, "a", "5" * 1000)
    assert bench.status().missed_count == 1
    await bench.sinks.pause("r", False)
    await bench.settled()
    await publish(bench, "a", "6" * 1000, "7" * 1000)  # there is room again, and no more than that
    await bench.settled()
    assert [value[0] for value in bench.values] == ["1", "2", "6", "7"]


async def test_what_the_disk_does_not_take_takes_no_room(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise StorageFailed("no room on the disk")

    await bench.start(topics(bench, "#"), waiting_bytes_max=2500, messages_max=2)
    await bench.sinks.pause("r", True)
    with monkeypatch.context() as patched:
        patched.setattr(SinkFile, "add_waiting", fail)
        for _ in range(5):
            with pytest.raises(StorageFailed):
                await publish(bench, "a", "x" * 1000)
    await publish(bench, "a", "1" * 1000, "2" * 1000)
    assert (bench.status().missed_count, bench.status().behind_count) == (0, 2)
    await bench.sinks.pause("r", False)
    await bench.settled()
    assert [value[0] for value in bench.values] == ["1", "2"]


async def test_what_waits_behind_a_failure_of_the_disk_fails_with_it(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else it would be there before what its publisher sends again."""
    add_waiting, failures = SinkFile.add_waiting, [StorageFailed("no room on the disk")] * 2

    def fail_at_first(self: SinkFile, items: Any) -> None:
        if failures:
            raise failures.pop()
        add_waiting(self, items)

    await bench.start(topics(bench, "#"))
    monkeypatch.setattr(SinkFile, "add_waiting", fail_at_first)
    monkeypatch.setattr(waiting_items, "_AT_ONCE_MAX", 1)
    with structlog.testing.capture_logs() as logs:
        for _ in range(2):
            told = await asyncio.gather(
                *(record(bench, "a", each) for each in "123"), return_exceptions=True
            )
            assert [type(error) for error in told] == [StorageFailed] * 3
    lines = [each for each in logs if each["event"] == "sink_messages_not_recorded"]
    assert len(lines) == 1  # for a while
    await asyncio.gather(*(record(bench, "a", each) for each in "123"))
    await bench.settled()
    assert bench.values == ["1", "2", "3"]


async def test_the_broker_hears_when_rules_come_and_go(bench: Bench) -> None:
    await bench.start()
    changes: list[bool] = []
    bench.sinks.topics.on_change = lambda: changes.append(bench.sinks.topics.wants("a"))
    asked = {**bench.asked("made"), "send": "topics", "topics": ["a"]}
    assert await bench.sinks.add(asked) == []
    await bench.sinks.delete("made")
    assert changes == [True, False]
    told: list[Exception | None] = []
    bench.sinks.topics.record(Message("a", b"late", 1), told.append)
    await until(lambda: told == [None])  # nobody wants it any more
    wrong = {**asked, "topics": ["a#"]}
    (problem,) = await bench.sinks.add(wrong)
    assert "[MQTT-4.7.1-1]" in problem


async def test_what_a_sink_retries_holds_its_own_topic_back_and_no_other(bench: Bench) -> None:
    def retry_first(items: Any) -> SendResult:
        return SendResult(retry={0: "later"})

    bench.engine.answers.append(retry_first)
    await bench.start(topics(bench, "#"))
    await bench.sinks.pause("r", True)
    for topic, payload in (("a", "1"), ("b", "2"), ("a", "3"), ("b", "4")):
        await publish(bench, topic, payload)
    await bench.sinks.pause("r", False)
    await bench.settled()
    assert [item.value for item in bench.engine.delivered if item.topic == "b"] == ["2", "4"]
    assert (
        bench.engine.calls[1]
        == [item.item_id for item in bench.engine.delivered if item.topic == "a"][-2:]
    )


async def test_dead_letters_show_the_topic(bench: Bench) -> None:
    bench.engine.answers.append(lambda items: SendResult(refused={0: "too long"}))
    await bench.start(topics(bench, "#"))
    await publish(bench, "a/b", "x")
    await bench.settled()
    (letter,) = await bench.sinks.letters("r", 10)
    assert (letter.topic, letter.value, letter.reason) == ("a/b", "x", "too long")
    await bench.sinks.retry("r", None)
    await until(lambda: bench.values == ["x"])


# --- items ---


def item_of(
    topic: str, payload: bytes, properties: Properties | None = None, **members: Any
) -> Any:
    octets = forwarded_properties(properties) if properties is not None else b""
    message = Message(topic, payload, properties=octets, **members)
    return topic_item("o-t-1-2", message, AT_US, AT_US + 1_000_000)


def test_a_message_is_json_with_what_is_known_of_it() -> None:
    properties = Properties(
        content_type="application/json", user_properties=(("unit", "°C"), ("unit", "K"))
    )
    item = item_of("plant/1", b'{"a": 1}', properties, qos=2, is_retain=True)
    assert json.loads(as_json(item)) == {
        "id": "o-t-1-2",
        "topic": "plant/1",
        "at": "2026-11-27T09:39:25.764573Z",
        "payload": '{"a": 1}',
        "qos": 2,
        "retain": True,
        "content_type": "application/json",
        "user_properties": [["unit", "°C"], ["unit", "K"]],
        "expires_at": "2026-11-27T09:39:26.764573Z",
    }
    plain = json.loads(as_json(item_of("plant/1", b"21.50")))
    assert (plain["payload"], plain["number"], plain["qos"], plain["retain"]) == (
        "21.50", 21.5, 0, False,
    )  # fmt: skip
    assert "encoding" not in plain


@pytest.mark.parametrize("payload", [b"\xff\x00", b"a\x00b", b"\xc3"])
def test_what_is_no_text_is_in_base64_and_says_so(payload: bytes) -> None:
    import base64

    told = json.loads(as_json(item_of("t", payload)))
    assert told["encoding"] == "base64"
    assert base64.b64decode(told["payload"]) == payload
    assert "number" not in told


def test_a_template_has_names_of_its_own_for_topics() -> None:
    text = (
        "{{device}} {{topic}} {{payload}} {{qos}} {{retain}} {{content_type}} {{user_properties}}"
    )
    properties = Properties(content_type="text/plain", user_properties=(("a", "b"),))
    item = item_of("a/b", b"on", properties, qos=1)
    assert compile_template(text)(item) == b'a/b a/b on 1 false text/plain [["a","b"]]'


def test_a_key_that_somebody_put_into_a_topic_is_blotted() -> None:
    item = item_of(f"{KEY}/v2/feed/1", b"21")
    assert KEY not in item.topic
    assert item.topic.endswith("/v2/feed/1")
    long = item_of(f"{KEY}/{'a/' * 200}", b"21")
    assert KEY not in long.topic


def test_objects_of_a_bucket_sort_as_messages_came() -> None:
    ids = [f"o-t-{AT_US}-9", f"o-t-{AT_US}-10", f"o-t-{AT_US + 10}-3"]
    items = [topic_item(each, Message("t", b"x"), AT_US) for each in ids]
    keys = [objects_of(PrefixSettings(), [item])[0].key for item in items]
    assert keys == sorted(keys)
