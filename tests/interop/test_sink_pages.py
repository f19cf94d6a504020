"""The pages of sinks as scripts and other accounts meet them, without a browser."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import requests
from tests.interop.forms import PASSWORD, csrf_of, post
from tests.live_server import LiveServer, start_server
from tests.waiting import wait_until

from thingtank.protocols.mqtt.messages import Message
from thingtank.server.sinks.topics import topic_item
from thingtank.sinks.engine import Item, encode_item
from thingtank.sources.records import Arrived
from thingtank.sources.rejected_store import RejectedStore
from thingtank.sources.source_file import SourceFile
from thingtank.stores.sink_file import NewLetter, SinkFile

NASTY = "<script>alert(1)</script>"
SETTINGS = """
[sinks]
workbench = {workbench}
[[sinks.rules]]
name = "fixed"
feeds = [1]
to = {{engine = "sql", url = "sqlite:///fixed.sqlite3"}}
"""
SOURCES = """
[aws]
endpoint_url = "http://127.0.0.1:1"
[sources]
rejected_max = 2
[[sources.rules]]
name = "weather"
engine = "kinesis"
stream = "temperature"
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    folder = tmp_path_factory.mktemp("data")
    (folder / "thingtank.toml").write_text(SETTINGS.format(workbench="true") + SOURCES)
    item = Item("o-1-0", "datapoint", 1, "u", "t", 1_795_772_365_000_000, "21")
    with closing(SinkFile.open(folder)) as file:
        file.add_letters("old", [NewLetter(item.item_id, encode_item(item), "no", item.at_us)])
        of_topic = topic_item("o-t-1-1", Message(f"plant/{NASTY}", b"on"), item.at_us)
        letter = NewLetter(of_topic.item_id, encode_item(of_topic), "no", item.at_us)
        file.add_letters("fixed", [letter])
    file = SourceFile(folder)
    record = Arrived("s-0/1", "k", item.at_us, NASTY.encode())
    RejectedStore(file, "former", 9, 9999).add([(record, NASTY)], item.at_us)
    more = [(record._replace(record_id=f"s-0/{n}"), "no") for n in range(3)]
    RejectedStore(file, "weather", 9, 9999).add(more, item.at_us)  # when there was more room
    file.close()
    with start_server(folder) as server:
        server.command("user", "create", "bert", "--password", PASSWORD)
        yield server


PATHS = (
    "/sinks/", "/sinks/add", "/sinks/rule-fixed/", "/sinks/rule-fixed/delete",
    "/sinks/rule-fixed/letters/discard-all", "/sinks/source-any/",
    "/sinks/source-any/rejected/discard-all",
)  # fmt: skip


def test_strangers_are_asked_to_sign_in_and_others_are_sent_away(server: LiveServer) -> None:
    bert = requests.Session()
    post(bert, f"{server.url}/sign-in", username="bert", password=PASSWORD)
    for path in PATHS:
        stranger = requests.get(server.url + path, timeout=20, allow_redirects=False)
        assert stranger.status_code == 302
        assert "/sign-in" in stranger.headers["Location"]
        assert bert.get(server.url + path, timeout=20).status_code == 403
    assert "/sinks/" not in bert.get(server.url, timeout=20).text
    token = csrf_of(bert.get(f"{server.url}/account", timeout=20))
    for word in (
        "pause",
        "hurry",
        "delete",
        "letters/retry",
        "letters/discard",
        "letters/discard-all",
    ):
        path = f"{server.url}/sinks/rule-fixed/{word}"
        data = {"csrfmiddlewaretoken": token, "paused": "1", "letter": "all"}
        assert bert.post(path, data=data, timeout=20).status_code == 403
    for word in ("retry", "discard", "discard-all"):
        path = f"{server.url}/sinks/source-any/rejected/{word}"
        data = {"csrfmiddlewaretoken": token, "record": "all"}
        assert bert.post(path, data=data, timeout=20).status_code == 403


def test_a_rule_of_the_settings_cannot_be_deleted_here(
    server: LiveServer, owner: requests.Session
) -> None:
    page = f"{server.url}/sinks/rule-fixed/"
    assert "Delete rule" not in owner.get(page, timeout=20).text
    assert post(owner, f"{page}delete").status_code == 403
    assert owner.get(page, timeout=20).status_code == 200
    assert owner.get(f"{server.url}/sinks/rule-none/", timeout=20).status_code == 404


def test_dead_letters_of_a_rule_that_is_gone_can_only_be_deleted(
    server: LiveServer, owner: requests.Session
) -> None:
    url = f"{server.url}/sinks/rule-old/"
    page = owner.get(url, timeout=20).text
    assert "Gone" in page
    assert "Retry" not in page.partition("<main")[2]
    assert 'engine=""' not in owner.get(f"{server.url}/metrics", timeout=20).text
    post(owner, f"{url}letters/discard-all")
    assert "None. What the other side" in owner.get(url, timeout=20).text
    post(owner, f"{url}delete")
    assert owner.get(url, timeout=20).status_code == 404


def test_only_what_a_button_of_rejected_records_names_is_deleted(
    server: LiveServer, owner: requests.Session
) -> None:
    url = f"{server.url}/sinks/source-former/"
    page = owner.get(url, timeout=20).text
    assert NASTY not in page
    assert page.count("&lt;script&gt;alert(1)&lt;/script&gt;") >= 2  # as it begins, and the reason
    token = csrf_of(owner.get(f"{server.url}/sinks/", timeout=20))
    for words in (
        {},
        {"record": "x"},
        {"record": "9999"},
        {"reason": "other"},
        {"reason": "r" * 2000},
    ):
        data = {"csrfmiddlewaretoken": token, **words}
        page = owner.post(f"{url}rejected/discard", data=data, timeout=20).text
        assert ("s-0/1" in page, "Nothing to do" in page) == (True, True)
    refused = owner.post(f"{url}rejected/retry", data={**data, "record": "all"}, timeout=20)
    assert refused.status_code == 403
    data = {"csrfmiddlewaretoken": token, "reason": NASTY}
    assert "s-0/1" not in owner.post(f"{url}rejected/discard", data=data, timeout=20).text


def test_a_source_says_how_many_rejected_records_were_dropped_for_want_of_room(
    server: LiveServer, owner: requests.Session
) -> None:
    url = f"{server.url}/sinks/source-weather/"
    assert "for want of room" not in owner.get(url, timeout=20).text
    pressed(owner, server, "/sinks/source-weather/rejected/retry", record="all")
    assert "1 rejected record dropped for want of room" in owner.get(url, timeout=20).text
    shown = server.command("source", "show", "weather")["source"]
    assert (shown["kept_count"], shown["dropped_count"]) == (2, 1)
    dropped = 'thingtank_source_rejected_dropped_total{engine="kinesis"} 1.0'
    assert dropped in owner.get(f"{server.url}/metrics", timeout=20).text


def test_a_dead_letter_of_a_topic_shows_the_topic_and_no_feed(
    server: LiveServer, owner: requests.Session
) -> None:
    page = owner.get(f"{server.url}/sinks/rule-fixed/", timeout=20).text
    assert "plant/&lt;script&gt;" in page
    assert NASTY not in page
    assert "Feed 0" not in page
    listed = server.command("sink", "letters", "fixed")
    assert '"topic": "plant/<script>' in json.dumps(listed)


def test_a_dead_letter_that_has_gone_meanwhile_is_not_said_to_be_dealt_with(
    server: LiveServer, owner: requests.Session
) -> None:
    url = f"{server.url}/sinks/rule-fixed/"
    token = csrf_of(owner.get(f"{server.url}/sinks/", timeout=20))
    for word in ("retry", "discard"):
        for letter in ("9999", "x"):
            data = {"csrfmiddlewaretoken": token, "letter": letter}
            page = owner.post(f"{url}letters/{word}", data=data, timeout=20).text
            assert ("Nothing to do" in page, "plant/" in page) == (True, True)


def test_what_cannot_be_a_rule_is_told_and_what_is_typed_is_escaped(
    server: LiveServer, owner: requests.Session
) -> None:
    add = f"{server.url}/sinks/add?engine=sql"
    answer = post(owner, add, name="r", send="values", feeds=NASTY, to_url=NASTY, to_table="t")
    assert NASTY not in answer.text
    assert "Feeds must be ids" in answer.text
    answer = post(owner, add, name="r", send="values", to_url=f"oracle://{NASTY}", to_table="t")
    assert NASTY not in answer.text
    assert "url must be" in answer.text
    answer = post(owner, add, name="fixed", send="values", to_url="sqlite:///a", to_table="t")
    assert "There is a rule fixed already" in answer.text
    unknown = owner.get(f"{server.url}/sinks/add?engine=pigeon", timeout=20)
    assert unknown.status_code == 200


def test_a_rule_of_each_engine_can_be_begun(server: LiveServer, owner: requests.Session) -> None:
    page = owner.get(f"{server.url}/sinks/add", timeout=20).text
    for name in ("sql", "sqs", "kinesis", "dynamodb", "s3", "queue", "table", "folder"):
        assert f"?engine={name}" in page
        form = owner.get(f"{server.url}/sinks/add?engine={name}", timeout=20).text
        assert f"Where to: {name}" in form


@pytest.mark.parametrize(
    ("engine", "fields", "where"),
    [
        ("queue", {"to_queue": "blank", "to_messages_max": ""}, "queue blank of this machine"),
        ("sql", {"to_url": '{file = "%s"}', "to_table": "t"}, "table t of sqlite:///of-file"),
    ],
    ids=["a blank number is the default", "a URL is read from a file"],
)
def test_a_form_takes(
    server: LiveServer, owner: requests.Session, tmp_path: Path, engine: str,
    fields: dict[str, str], where: str,
) -> None:  # fmt: skip
    (tmp_path / "url").write_text("sqlite:///of-file.sqlite3\n")
    given = {key: value.replace("%s", str(tmp_path / "url")) for key, value in fields.items()}
    url = f"{server.url}/sinks/add?engine={engine}"
    answer = post(owner, url, name=f"of-{engine}", send="values", **given)
    assert where in answer.text, answer.text
    pressed(owner, server, f"/sinks/rule-of-{engine}/delete")


NEW = {"send": "messages", "to_url": "sqlite:///m.sqlite3", "to_table": "m"}


def pressed(browser: requests.Session, server: LiveServer, path: str, **fields: str) -> None:
    """Press a button of the list of rules."""
    token = csrf_of(browser.get(f"{server.url}/sinks/", timeout=20))
    data = {"csrfmiddlewaretoken": token, **fields}
    assert browser.post(server.url + path, data=data, timeout=20).status_code == 200


def test_a_message_is_sent_on_after_a_restart_by_a_rule_that_was_made_here(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    folder = tmp_path_factory.mktemp("data")
    with start_server(folder) as server:
        owner = requests.Session()
        owner.get(server.welcome_url, timeout=20)
        made = post(owner, f"{server.url}/sinks/add?engine=sql", name="m", **NEW)
        assert "messages to all feeds" in made.text
        pressed(owner, server, "/sinks/rule-m/pause", paused="1")
        skynet = server.sockets["skynet"]
        uuid = requests.post(f"{skynet}/devices", json={"type": "lamp"}, timeout=20).json()["uuid"]
        message = {"devices": uuid, "payload": {"n": 1}}
        requests.post(f"{skynet}/messages", json=message, timeout=20).raise_for_status()
    (folder / "thingtank.toml").write_text(SETTINGS.format(workbench="false"))
    with start_server(folder) as server:
        owner = requests.Session()
        owner.get(server.welcome_url, timeout=20)
        assert "Add rule" not in owner.get(f"{server.url}/sinks/", timeout=20).text
        refused = post(owner, f"{server.url}/sinks/add?engine=sql", name="n", **NEW)
        assert "leaves rules to the settings file" in refused.text
        assert post(owner, f"{server.url}/sinks/rule-m/delete").status_code == 403
        pressed(owner, server, "/sinks/rule-m/pause", paused="0")
        delivered = 'thingtank_sink_items_total{engine="sql",outcome="delivered"} 1.0'
        metrics = f"{server.url}/metrics"
        wait_until(lambda: delivered in requests.get(metrics, timeout=20).text)
    with closing(sqlite3.connect(folder / "sinks/m.sqlite3")) as file:
        ((value,),) = file.execute("SELECT value FROM m")
    assert json.loads(value)["payload"] == {"n": 1}
