"""Rules that send topics on, as Paho, Autobahn and the pages meet them; by a whole server."""

import asyncio
import base64
import json
import re
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
import pytest
import requests
from click.testing import CliRunner
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from tests.interop.forms import post
from tests.interop.test_bridge import Mqtt, Wamp
from tests.live_server import LiveServer, start_server
from tests.waiting import WAIT_S_MAX, until

from thingtank.cli.main import main
from thingtank.local.queue_file import QueueFile

SETTINGS = """
[[sinks.rules]]
name = "plant"
send = "topics"
topics = ["plant/+/state", "alarms/#"]
gather_s = 0
to = {engine = "sql", url = "sqlite:///topics.sqlite3", table = "topics"}

[[sinks.rules]]
name = "all"
send = "topics"
topics = ["#"]
gather_s = 0
to = {engine = "queue", queue = "all"}

[[sinks.rules]]
name = "feeds"
send = "topics"
topics = ["#"]
gather_s = 0
to = {engine = "queue", queue = "feeds"}
"""
ORDERED = 200


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    folder = tmp_path_factory.mktemp("topics")
    (folder / "thingtank.toml").write_text(SETTINGS)
    with start_server(folder) as server:
        yield server


@pytest.fixture
async def mqtt(server: LiveServer) -> AsyncIterator[Mqtt]:
    mqtt = await Mqtt(server).connected()
    yield mqtt
    mqtt.close()


@pytest.fixture
async def wamp(server: LiveServer) -> AsyncIterator[Wamp]:
    wamp = await Wamp.join(server)
    yield wamp
    await wamp.session.leave()


def rows(server: LiveServer, topic: str, columns: str = "payload") -> list[Any]:
    path = server.folder / "sinks" / "topics.sqlite3"
    if not path.exists():
        return []
    is_there = "SELECT count(*) FROM sqlite_master WHERE name = 'topics'"
    query = f"SELECT {columns} FROM topics WHERE topic = ? ORDER BY row_id"  # noqa: S608 - of a test
    with closing(sqlite3.connect(path, timeout=20)) as file:
        if file.execute(is_there).fetchone() == (0,):
            return []
        found = file.execute(query, (topic,)).fetchall()
    return [row[0] if len(row) == 1 else row for row in found]


def queued(server: LiveServer, prefix: str, queue: str = "all") -> list[dict[str, Any]]:
    """What is in the queue of topics that begin so; it is taken out, all of it."""
    file = QueueFile(server.folder / "sinks" / "queues.sqlite3")
    found = []
    while got := file.receive(queue, 100, 60):
        found += [json.loads(each.body) for each in got]
        file.ack(each.receipt for each in got)
    file.close()
    return [each for each in found if each["topic"].startswith(prefix)]


def current_value(server: LiveServer, name: str) -> str:
    url = f"{server.url}/v2/feeds/{server.feed_id}/datastreams/{name}.json"
    answer = requests.get(url, headers={"X-ApiKey": server.api_key}, timeout=10)
    return str(answer.json()["current_value"])


async def soon(look: Callable[[], list[Any]], count: int) -> list[Any]:
    """What a look takes away, once there is as much."""
    found: list[Any] = []

    def is_enough() -> bool:
        found.extend(look())
        return len(found) >= count

    await until(is_enough, lambda: found)
    return found


async def wait_for_rows(server: LiveServer, topic: str, count: int) -> list[Any]:
    await until(lambda: len(rows(server, topic)) >= count, lambda: rows(server, topic))
    return rows(server, topic)


@pytest.mark.parametrize("qos", [0, 1, 2])
@pytest.mark.parametrize("is_5", [False, True], ids=["3.1.1", "5"])
async def test_messages_of_paho_arrive_in_order(server: LiveServer, qos: int, is_5: bool) -> None:
    mqtt = await Mqtt(server, is_5=is_5).connected()
    topic = f"plant/{qos}-{is_5}/state"
    for number in range(ORDERED):
        sent = mqtt.client.publish(topic, str(number), qos)
    await asyncio.to_thread(sent.wait_for_publish, WAIT_S_MAX)
    assert await wait_for_rows(server, topic, ORDERED) == [str(each) for each in range(ORDERED)]
    assert set(rows(server, topic, "qos, retain, number IS NOT NULL")) == {(qos, 0, 1)}
    mqtt.close()


async def test_events_of_autobahn_arrive_as_the_bridge_maps_them(
    server: LiveServer, wamp: Wamp
) -> None:
    for number in range(20):
        await wamp.publish("alarms.fire", number)
    await wamp.publish("alarms.fire", "on", where="roof")
    wamp.session.publish("alarms.fire", b"\xff")  # nobody waits
    found = await wait_for_rows(server, "alarms/fire", 22)
    assert found[:20] == [str(each) for each in range(20)]
    assert json.loads(found[20]) == {"args": ["on"], "kwargs": {"where": "roof"}}
    assert base64.b64decode(found[21]) == b"\xff"
    told = rows(server, "alarms/fire", "encoding, content_type, qos")
    assert told[0] == ("", "application/json", 1)
    assert told[21] == ("base64", "application/octet-stream", 0)
    await wamp.publish("v1.mine", "stays")  # no name of MQTT
    await wamp.publish("alarms.last", "on")
    assert await wait_for_rows(server, "alarms/last", 1) == ["on"]
    assert queued(server, "v1") == []


async def test_what_mqtt_5_says_of_a_message_comes_with_it(server: LiveServer, mqtt: Mqtt) -> None:
    properties = Properties(PacketTypes.PUBLISH)
    properties.ContentType = "image/png"
    properties.UserProperty = [("camera", "north"), ("camera", "2")]
    properties.MessageExpiryInterval = 60
    await mqtt.publish("picture/1", b"\x89PNG", qos=2, retain=True, properties=properties)
    await mqtt.publish("picture/1", b"", retain=True)  # deletes what is retained
    first, last = await soon(lambda: queued(server, "picture"), 2)
    assert base64.b64decode(first["payload"]) == b"\x89PNG"
    assert (first["encoding"], first["qos"], first["retain"]) == ("base64", 2, True)
    assert first["content_type"] == "image/png"
    assert first["user_properties"] == [["camera", "north"], ["camera", "2"]]
    assert first["expires_at"] > first["at"]
    assert (last["payload"], last["retain"]) == ("", True)
    assert "expires_at" not in last


async def test_wills_are_sent_and_shared_subscriptions_take_nothing_away(
    server: LiveServer, mqtt: Mqtt
) -> None:
    await mqtt.subscribe("$share/g/will/#", qos=1)
    dying = paho.Client(paho.CallbackAPIVersion.VERSION2, protocol=paho.MQTTv5)
    dying.will_set("will/1", "gone", 1)
    host, port = server.sockets["mqtt"].removeprefix("mqtt://").split(":")
    dying.connect(host, int(port))
    dying.loop_start()
    await until(dying.is_connected)
    socket = dying.socket()
    assert socket is not None
    socket.shutdown(2)
    dying.loop_stop()
    assert (await mqtt.next()).payload == b"gone"
    (will,) = await soon(lambda: queued(server, "will"), 1)
    assert (will["payload"], will["qos"]) == ("gone", 1)


async def test_what_is_written_to_feeds_and_what_the_broker_says_of_itself_is_not_sent(
    server: LiveServer, mqtt: Mqtt
) -> None:
    topic = f"{server.api_key}/v2/feeds/{server.feed_id}/datastreams/roof.csv"
    await mqtt.publish(topic, b"21")
    assert current_value(server, "roof") == "21"
    await mqtt.publish(f"{server.api_key}/v2/feed/1", b"mistaken")
    await mqtt.publish("after", b"last")
    found: list[dict[str, Any]] = []  # of other tests as well

    def are_there() -> bool:
        found.extend(queued(server, "", "feeds"))
        return {"last", "mistaken"} <= {each["payload"] for each in found}

    await until(are_there, lambda: found)
    topics = [each["topic"] for each in found]
    assert not any(topic.startswith("$") or "/feeds/" in topic for topic in topics)
    (mistaken,) = [each for each in found if each["payload"] == "mistaken"]
    assert server.api_key not in mistaken["topic"]
    for path in server.folder.glob("sinks.sqlite3*"):
        assert server.api_key.encode() not in path.read_bytes()


async def test_a_rule_is_made_in_the_workbench_works_at_once_and_is_counted(
    server: LiveServer, mqtt: Mqtt
) -> None:
    owner = requests.Session()
    owner.get(server.welcome_url, timeout=20)
    add = f"{server.url}/sinks/add?engine=table"
    asked = {"name": "made", "send": "topics", "to_table": "made", "to_keep": "all"}
    page = owner.get(add, timeout=20).text
    form = dict(re.findall(r'name="(to_\w+)" value="([^"]*)"', page)) | asked
    await mqtt.publish("made/1", b"before")
    answer = post(owner, add, **form, topics="made/#\nbad/a+")
    assert "wildcard beside other characters [MQTT-4.7.1-1]" in answer.text
    answer = post(owner, add, **form, topics="made/#\r\nother")
    assert "topics made/#, other" in answer.text
    await mqtt.publish("made/1", b"after")
    get = ("table", "query", "made", "made/1", "--data", str(server.folder))

    def out() -> str:
        return CliRunner().invoke(main, get).output

    await until(lambda: "after" in out(), out)
    assert "before" not in out()
    metrics = owner.get(f"{server.url}/metrics", timeout=20).text
    assert 'thingtank_sink_items_total{engine="table",outcome="delivered"} 1.0' in metrics
    assert 'thingtank_sink_batches_missed_total{engine="table"} 0.0' in metrics
    post(owner, f"{server.url}/sinks/rule-made/delete")


def test_a_bad_topic_filter_is_refused_at_the_start(tmp_path: Path) -> None:
    bad = SETTINGS.replace("plant/+/state", "plant/#/state")
    (tmp_path / "thingtank.toml").write_text(bad)
    told = CliRunner().invoke(main, ["config", "show", "--data", str(tmp_path)])
    assert told.exit_code
    assert "sinks.rules: plant: `topics`: 'plant/#/state': # is not the last level" in " ".join(
        told.output.split()
    )
