"""The MQTT page as scripts and other accounts meet it, without a browser."""

import html
import itertools
import queue
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote, urlsplit

import paho.mqtt.client as mqtt
import pytest
import requests
from tests.interop.forms import PASSWORD
from tests.interop.test_trigger_pages import JSON, send
from tests.interop.test_wamp_page import first_messages, running
from tests.live_server import LiveServer, start_server

NASTY = "<script>alert(1)</script>"
HIDDEN_TOPIC = "private/of/nobody-else"
PATHS = ["/mqtt/", "/mqtt/?show=filters", "/mqtt/?show=retained", "/mqtt/?show=sys&after=%00", "/mqtt/?show=nonsense&page=-1"]  # fmt: skip
STREAMS = ["overview?show=clients", "messages?topic_filter=x", "packets?client_id=x"]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    flags = ("--set", "mqtt.sys_interval_s=0.5")
    with start_server(tmp_path_factory.mktemp("data"), *flags) as server:
        server.command("user", "create", "bert", "--password", PASSWORD)
        yield server


@contextmanager
def connected(server: LiveServer, client_id: str, login: str = "") -> Iterator[mqtt.Client]:
    """A client that is in, and in the end out again."""
    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id, protocol=mqtt.MQTTv5)
    if login:
        client.username_pw_set(login, PASSWORD)
    is_in = threading.Event()
    client.on_connect = lambda *_: is_in.set()
    address = urlsplit(server.sockets["mqtt"])
    client.connect(str(address.hostname), address.port or 0)
    client.loop_start()
    try:
        assert is_in.wait(10)
        yield client
    finally:
        client.disconnect()
        client.loop_stop()


def subscribe(client: mqtt.Client, topic_filter: str, qos: int = 0) -> None:
    """Subscribe, and wait for SUBACK."""
    is_done = threading.Event()
    client.on_subscribe = lambda *_: is_done.set()
    client.subscribe(topic_filter, qos)
    assert is_done.wait(10)


@pytest.fixture(scope="module")
def client(server: LiveServer) -> Iterator[mqtt.Client]:
    """A client with nasty names, that has retained something."""
    with connected(server, f"device {NASTY}") as client:
        subscribe(client, HIDDEN_TOPIC)
        subscribe(client, f"offer/{NASTY}/#")
        client.publish(f"kept/{NASTY}", NASTY, 1, retain=True).wait_for_publish(10)
        yield client


def live(browser: requests.Session, server: LiveServer, show: str, **terms: str) -> dict[str, Any]:
    query = "".join(f"&{name}={quote(value)}" for name, value in terms.items())
    url = f"{server.url}/live/mqtt/overview?show={show}{query}"
    ((_, body),) = first_messages(browser, url)
    return body


def test_a_stranger_is_led_to_the_sign_in_page(server: LiveServer) -> None:
    for path in (*PATHS, "/mqtt/clients/close", "/mqtt/retained/delete", "/mqtt"):
        reply = requests.get(server.url + path, timeout=20)
        assert reply.url.startswith(f"{server.url}/sign-in?next="), path
    for path in STREAMS:
        assert requests.get(f"{server.url}/live/mqtt/{path}", timeout=20).status_code == 401


def test_forms_need_their_token(server: LiveServer, owner: requests.Session) -> None:
    for path in ("/mqtt/publish", "/mqtt/clients/close", "/mqtt/retained/delete"):
        assert owner.post(server.url + path, data={"topic": "x"}, timeout=20).status_code == 403


@pytest.mark.parametrize("path", PATHS)
def test_names_of_clients_are_text_and_nothing_else(
    server: LiveServer, owner: requests.Session, client: mqtt.Client, path: str
) -> None:
    page = owner.get(server.url + path, timeout=20)
    assert page.status_code == 200
    assert NASTY not in page.text
    if "sys" not in path:
        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page.text


def test_another_account_sees_nothing_of_others(
    server: LiveServer, owner: requests.Session, bert: requests.Session, client: mqtt.Client
) -> None:
    for path in PATHS:
        page = bert.get(server.url + path, timeout=20).text
        assert HIDDEN_TOPIC not in page
        assert f"device {html.escape(NASTY)}" not in page or "retained" in path
        assert "Messages per second" not in page
    for show in ("clients", "filters", "sys"):
        body = live(bert, server, show)
        assert (body["rows"], body["traffic"]) == ([], None)
        assert live(owner, server, show)["rows"] != []
    assert [row["topic"] for row in live(bert, server, "retained")["rows"]] == [f"kept/{NASTY}"]
    close = f"/mqtt/clients/close?client_id={quote(f'device {NASTY}')}"
    assert bert.get(server.url + close, timeout=20).status_code == 404
    reply = send(bert, server, "/mqtt/clients/close", client_id=f"device {NASTY}")
    assert "Nothing to do" in reply.text
    url = f"{server.url}/live/mqtt/packets?client_id={quote(f'device {NASTY}')}"
    ((name, gone),) = first_messages(bert, url)
    assert (name, list(gone)) == ("gone", ["reason"])
    assert client.is_connected()


def test_an_account_sees_the_client_that_came_in_as_it_and_may_end_it(
    server: LiveServer, bert: requests.Session, client: mqtt.Client
) -> None:
    with connected(server, "of bert", "bert") as own:
        subscribe(own, "berts/#", 1)
        is_out = threading.Event()

        def gone(*_: object) -> None:
            is_out.set()

        own.on_disconnect = gone
        (row,) = live(bert, server, "clients")["rows"]
        assert (row["client_id"], row["who"], row["version"]) == ("of bert", "account:bert", "5.0")
        assert (row["subscription_count"], row["transport"]) == (1, "tcp")
        page = bert.get(f"{server.url}/mqtt/clients/close?client_id=of+bert", timeout=20).text
        assert "Disconnect client?" in page
        send(bert, server, "/mqtt/clients/close", client_id="of bert")
        assert is_out.wait(10)


def test_what_is_published_by_the_form_is_heard_and_answered(
    server: LiveServer, owner: requests.Session, client: mqtt.Client
) -> None:
    heard: queue.Queue[mqtt.MQTTMessage] = queue.Queue()
    client.on_message = lambda _, __, message: heard.put(message)
    fields = {"topic": HIDDEN_TOPIC, "payload": "°C\r\n", "qos": "2", "properties": "unit: °C\nx:"}
    answer = send(owner, server, "/mqtt/publish", JSON, **fields).json()
    assert answer["problems"] == {}
    outcome = answer["outcome"]
    assert (outcome["name"], outcome["is_good"]) == ("PUBREC, PUBCOMP", True)
    assert outcome["uri"] == "0x00 Success"
    message = heard.get(timeout=10)
    assert message.payload.decode() == "°C\n"
    assert message.properties is not None
    assert message.properties.UserProperty == [("unit", "°C"), ("x", "")]
    page = send(owner, server, "/mqtt/publish", topic="nobody/x", qos="1").text  # without scripts
    assert "nobody has subscribed" in page


PROBLEMS: list[tuple[dict[str, str], str]] = [
    ({"topic": ""}, "topic"),
    ({"topic": "a/#"}, "topic"),
    ({"topic": "a", "qos": "3"}, "qos"),
    ({"topic": "a", "properties": "no colon"}, "properties"),
    ({"topic": "a", "properties": "a: b\n" * 51}, "properties"),
    ({"topic": "a", "payload": "x" * 200_001}, "payload"),
]


def test_what_is_wrong_is_said_at_its_field(server: LiveServer, owner: requests.Session) -> None:
    for fields, field in PROBLEMS:
        reply = send(owner, server, "/mqtt/publish", JSON, **{"qos": "0", **fields})
        assert reply.status_code == 400, fields
        assert list(reply.json()["problems"]) == [field], fields


def test_the_form_has_the_rights_of_who_is_signed_in(
    server: LiveServer, owner: requests.Session, bert: requests.Session
) -> None:
    fields = {"topic": "/v2/feeds/1.csv", "payload": "form,1", "qos": "1"}
    outcome = send(bert, server, "/mqtt/publish", JSON, **fields).json()["outcome"]
    assert (outcome["is_good"], outcome["uri"]) == (False, "0x87 Not authorized")
    assert "mqtt.acl" in outcome["words"]
    outcome = send(owner, server, "/mqtt/publish", JSON, **fields).json()["outcome"]
    assert outcome["is_good"], outcome
    url = f"{server.url}/live/mqtt/messages?topic_filter=%24SYS/%23"
    (_, hello), (name, _) = first_messages(bert, url, 2)
    assert (hello["outcome"]["uri"], name) == ("0x87 Not authorized", "gone")


def test_a_topic_filter_is_heard_live_with_what_is_retained(
    server: LiveServer, bert: requests.Session, client: mqtt.Client
) -> None:
    url = f"{server.url}/live/mqtt/messages?topic_filter=kept/%23&qos=1"
    (_, hello), (_, events) = first_messages(bert, url, 2)
    assert hello["outcome"]["name"] == "SUBACK"
    (row,) = events["rows"]
    assert (row["topic"], row["text"], row["note"]) == (f"kept/{NASTY}", NASTY, "QoS 1, retained")
    ((name, gone),) = first_messages(bert, f"{server.url}/live/mqtt/messages?topic_filter=a%23")
    assert name == "gone"
    assert "no topic filter" in gone["reason"]


def test_packets_of_a_client_are_seen_without_secrets(
    server: LiveServer, owner: requests.Session
) -> None:
    with connected(server, "watched") as watched:
        url = f"{server.url}/live/mqtt/packets?client_id=watched"
        timer = threading.Timer(0.5, lambda: watched.publish(f"{server.api_key}/v2/feeds/1.csv", "packet,3", 1))  # fmt: skip
        timer.start()
        _, (name, events) = first_messages(owner, url, 2)
        timer.join()
        assert name == "events"
        assert events["rows"][0]["topic"] == "PUBLISH"
        assert "payload: packet,3" in events["rows"][0]["text"]
        assert server.api_key not in str(events)


def test_a_retained_message_is_deleted_for_good(
    server: LiveServer, owner: requests.Session, client: mqtt.Client
) -> None:
    client.publish("delete/me", "x", 1, retain=True).wait_for_publish(10)
    path = "/mqtt/retained/delete"
    page = owner.get(f"{server.url}{path}?topic=delete%2Fme", timeout=20).text
    assert "Delete retained message?" in page
    assert "deleted" in send(owner, server, path, topic="delete/me").text
    assert live(owner, server, "retained", q="delete")["rows"] == []
    assert "gone already" in send(owner, server, path, topic="delete/me").text


def test_lists_have_pages(server: LiveServer, owner: requests.Session) -> None:
    with connected(server, "with many") as many:
        subscribe(many, "many/last")
        many.subscribe([(f"many/{number:02}", 0) for number in range(60)])
        subscribe(many, "many/last")
        first = live(owner, server, "filters", q="many/")
        second = live(owner, server, "filters", q="many/", after=first["next"])
        names = [row["topic_filter"] for row in [*first["rows"], *second["rows"]]]
        assert names == [*(f"many/{number:02}" for number in range(60)), "many/last"]
        page = owner.get(f"{server.url}/mqtt/?show=filters&q=many/", timeout=20).text
        assert f"after={quote(first['next'], safe='')}" in page


def test_the_programs_to_copy_reach_the_broker(server: LiveServer, owner: requests.Session) -> None:
    page = owner.get(f"{server.url}/mqtt/", timeout=20).text
    codes = {
        which: html.unescape(found[1])
        for which in ("thingtank", "mosquitto", "paho")
        if (found := re.search(rf'id="{which}-code">(.*?)</code>', page, re.DOTALL))
    }
    with running(codes["paho"]) as program:
        assert program.stdout is not None
        lines = list(itertools.islice(program.stdout, 2))
        assert lines[1] == "heard test/topic b'hello'\n"
        words = codes["thingtank"].splitlines()[1].split()[1:]
        command = [sys.executable, "-m", "thingtank.cli.main", *words]
        subprocess.run(command, check=True, timeout=30)
        assert next(iter(program.stdout)) == "heard test/topic b'hello'\n"
    address = urlsplit(server.sockets["mqtt"])
    assert f"-h {address.hostname} -p {address.port}" in codes["mosquitto"]


def test_without_a_door_the_page_says_how_to_open_it(tmp_path: Any) -> None:
    with start_server(tmp_path, "--mqtt", "off", "--set", "mqtt.on_web_port=false") as server:
        browser = requests.Session()
        browser.get(server.welcome_url, timeout=20)
        assert "mqtt.port" in browser.get(f"{server.url}/mqtt/", timeout=20).text
        assert browser.get(f"{server.url}/live/mqtt/overview", timeout=20).status_code == 404
