"""The WAMP page as scripts and other accounts meet it, without a browser."""

import contextlib
import html
import itertools
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from tests.interop.forms import PASSWORD
from tests.interop.test_trigger_pages import JSON, send
from tests.live_server import LiveServer, start_server
from tests.wamp_json import JsonClient, json_client

NASTY = "<script>alert(1)</script>"
HIDDEN_TOPIC = "private.of.nobody-else"
PATHS = ["/wamp/", "/wamp/?show=topics", "/wamp/?show=procedures", "/wamp/?show=nonsense&page=-1"]
STREAMS = ["overview?realm=realm1", "events?realm=realm1&topic=x"]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    with start_server(tmp_path_factory.mktemp("data")) as server:
        server.command("user", "create", "bert", "--password", PASSWORD)
        yield server


@pytest.fixture(scope="module")
def client(server: LiveServer) -> Iterator[JsonClient]:
    """A client that hears and offers things with nasty names."""
    with json_client(server.sockets["wamp"]) as client:
        assert client.ask([32, 1, {}, HIDDEN_TOPIC])[0] == 33
        assert client.ask([32, 2, {}, NASTY])[0] == 33
        assert client.ask([64, 3, {}, f"offer.{NASTY}"])[0] == 65
        yield client


def first_messages(
    browser: requests.Session, url: str, count: int = 1
) -> list[tuple[str, dict[str, Any]]]:
    """The first events of a stream."""
    found = []
    with browser.get(url, stream=True, timeout=20) as reply:
        assert reply.status_code == 200, reply.text
        name = ""
        for line in reply.iter_lines(decode_unicode=True):
            if line.startswith("event: "):
                name = line.removeprefix("event: ")
            elif line.startswith("data: "):
                found.append((name, json.loads(line.removeprefix("data: "))))
                if len(found) == count:
                    break
    return found


def test_a_stranger_is_led_to_the_sign_in_page(server: LiveServer) -> None:
    for path in (*PATHS, "/wamp/sessions/1/close"):
        reply = requests.get(server.url + path, timeout=20)
        assert reply.url.startswith(f"{server.url}/sign-in?next="), path
    for path in STREAMS:
        assert requests.get(f"{server.url}/live/wamp/{path}", timeout=20).status_code == 401


def test_forms_need_their_token(server: LiveServer, owner: requests.Session) -> None:
    for path in ("/wamp/publish", "/wamp/call", "/wamp/sessions/1/close"):
        reply = owner.post(server.url + path, data={"realm": "realm1"}, timeout=20)
        assert reply.status_code == 403, path


@pytest.mark.parametrize("path", PATHS)
def test_names_of_clients_are_text_and_nothing_else(
    server: LiveServer, owner: requests.Session, client: JsonClient, path: str
) -> None:
    page = owner.get(server.url + path, timeout=20)
    assert page.status_code == 200
    assert NASTY not in page.text
    assert "default-src 'self'" in page.headers["Content-Security-Policy"]
    if "topics" in path or "procedures" in path:
        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page.text


def test_another_account_sees_nothing_of_others(
    server: LiveServer, owner: requests.Session, bert: requests.Session, client: JsonClient
) -> None:
    hidden = (HIDDEN_TOPIC, "alert(1)", str(client.session_id), "127.0.0.1</span>")
    for path in PATHS:
        page = bert.get(server.url + path, timeout=20)
        assert page.status_code == 200
        for text in hidden:
            assert text not in page.text, (path, text)
        assert "Messages per second" not in page.text
    for show in ("sessions", "topics", "procedures"):
        url = f"{server.url}/live/wamp/overview?realm=realm1&show={show}"
        ((_, body),) = first_messages(bert, url)
        assert (body["rows"], body["found"], body["traffic"]) == ([], 0, None)
        assert set(body["counts"].values()) == {0}
        ((_, body),) = first_messages(owner, url)
        assert body["found"] >= 1
        assert body["traffic"] is not None
    close = f"/wamp/sessions/{client.session_id}/close"
    assert bert.get(f"{server.url}{close}?realm=realm1", timeout=20).status_code == 404
    send(bert, server, close, realm="realm1")
    assert client.ask([48, 4, {}, "wamp.session.count"])[0] == 50  # it is still there


def test_an_account_sees_the_topic_that_its_own_page_hears(
    server: LiveServer, bert: requests.Session
) -> None:
    url = f"{server.url}/live/wamp/events?realm=realm1&topic=berts.own&match=prefix"
    with bert.get(url, stream=True, timeout=20) as reply:
        assert reply.status_code == 200
        lines = reply.iter_lines()  # kept, for its end would be the stream's
        assert next(lines).startswith(b"retry")
        shown = f"{server.url}/live/wamp/overview?realm=realm1&show=topics"
        ((_, body),) = first_messages(bert, shown)
        assert [(row["uri"], row["match"]) for row in body["rows"]] == [("berts.own", "prefix")]
        assert body["counts"]["sessions"] == 1


def test_an_account_sees_the_client_that_came_in_as_it_and_may_end_it(
    server: LiveServer, bert: requests.Session, client: JsonClient
) -> None:
    url = f"{server.url}/live/wamp/overview?realm=realm1"
    with json_client(server.sockets["wamp"], authid="bert", ticket=PASSWORD) as own:
        own.ask([32, 1, {}, "of.bert"])
        ((_, body),) = first_messages(bert, url)
        (row,) = body["rows"]
        assert (row["session_id"], row["authid"]) == (str(own.session_id), "bert")
        assert (row["authrole"], row["authmethod"]) == ("account", "ticket")
        assert "of.bert" in bert.get(f"{server.url}/wamp/?show=topics", timeout=20).text
        send(bert, server, f"/wamp/sessions/{own.session_id}/close", realm="realm1")
        assert own.receive()[::2] == [6, "wamp.close.killed"]


RIGHTS: list[tuple[str, str, str]] = [
    ("wamp.session.kill", "[{session}]", "wamp.error.not_authorized"),
    ("tank.feeds.get", "[1]", "wamp.error.not_authorized"),
    ("wamp.session.count", "", ""),
]


def test_the_form_has_the_rights_of_who_is_signed_in(
    server: LiveServer, owner: requests.Session, bert: requests.Session, client: JsonClient
) -> None:
    for procedure, args, error in RIGHTS:
        fields = {"realm": "realm1", "timeout_s": "5", "procedure": procedure}
        fields["args"] = args.format(session=client.session_id)
        outcome = send(bert, server, "/wamp/call", JSON, **fields).json()["outcome"]
        assert outcome["uri"] == error, (procedure, outcome)
    fields = {"realm": "realm1", "timeout_s": "5", "procedure": "tank.feeds.get", "args": "[1]"}
    outcome = send(owner, server, "/wamp/call", JSON, **fields).json()["outcome"]
    assert outcome["name"] == "RESULT", outcome
    assert client.ask([48, 5, {}, "wamp.session.count"])[0] == 50  # nobody has killed it


def test_what_is_published_by_the_form_is_heard(
    server: LiveServer, owner: requests.Session, bert: requests.Session, client: JsonClient
) -> None:
    fields = {"realm": "realm1", "topic": HIDDEN_TOPIC, "acknowledge": "on"}
    fields |= {"args": '["\\u0000AAH/", 9007199254740993]', "kwargs": '{"on": true}'}
    answer = send(owner, server, "/wamp/publish", JSON, **fields).json()
    assert answer["problems"] == {}
    outcome = answer["outcome"]
    assert (outcome["name"], outcome["is_good"]) == ("PUBLISHED", True)
    event = client.receive()
    assert outcome["facts"] == f"publication {event[2]}"
    assert event[4:] == [["\x00AAH/", 9007199254740993], {"on": True}]
    assert "publication" in send(owner, server, "/wamp/publish", **fields).text  # without scripts
    client.receive()


def test_a_procedure_is_called_and_its_answer_shown(
    server: LiveServer, owner: requests.Session, client: JsonClient
) -> None:
    call = {"realm": "realm1", "timeout_s": "5"}
    reply = send(owner, server, "/wamp/call", JSON, procedure="wamp.session.get", args=f"[{client.session_id}]", **call)  # fmt: skip
    outcome = reply.json()["outcome"]
    assert outcome["name"] == "RESULT"
    assert json.loads(outcome["args"])[0]["session"] == client.session_id
    reply = send(owner, server, "/wamp/call", JSON, procedure="no.such", **call)
    outcome = reply.json()["outcome"]
    assert (outcome["name"], outcome["is_good"]) == ("ERROR", False)
    assert outcome["uri"] == "wamp.error.no_such_procedure"
    reply = send(owner, server, "/wamp/call", JSON, procedure=f"offer.{NASTY}", realm="realm1", timeout_s="0.2")  # fmt: skip
    assert reply.json()["outcome"]["uri"] == "wamp.error.timeout"
    assert client.receive()[0] == 68
    page = send(owner, server, "/wamp/call", procedure=f"no.{NASTY}", **call)
    assert "wamp.error.no_such_procedure" in page.text
    assert NASTY not in page.text


PROBLEMS: list[tuple[str, dict[str, str], str]] = [
    ("publish", {"topic": ""}, "topic"),
    ("publish", {"topic": "x", "args": "{}"}, "args"),
    ("publish", {"topic": "x", "args": "[1"}, "args"),
    ("publish", {"topic": "x", "args": "[" * 5000 + "]" * 5000}, "args"),
    ("publish", {"topic": "x", "kwargs": "[]"}, "kwargs"),
    ("publish", {"topic": "x", "args": '["' + "x" * 200_001 + '"]'}, "args"),
    ("publish", {"topic": "x" * 1025}, "topic"),
    ("publish", {"topic": "x", "realm": "elsewhere"}, "__all__"),
    ("publish", {"topic": "x", "session": "-1"}, "session"),
    ("call", {"procedure": "x", "timeout_s": "99"}, "timeout_s"),
    ("call", {"procedure": "x", "timeout_s": "nan"}, "timeout_s"),
    ("call", {"procedure": "x", "timeout_s": ""}, "timeout_s"),
]


def test_what_is_wrong_is_said_at_its_field(server: LiveServer, owner: requests.Session) -> None:
    for name, fields, field in PROBLEMS:
        data = {"realm": "realm1", "timeout_s": "1", **fields}
        reply = send(owner, server, f"/wamp/{name}", JSON, **data)
        assert reply.status_code == 400, (name, fields)
        assert reply.json()["outcome"] is None
        assert list(reply.json()["problems"]) == [field], (name, fields)


def test_a_uri_that_is_none_is_refused_by_the_router(
    server: LiveServer, owner: requests.Session
) -> None:
    fields = {"realm": "realm1", "topic": "not a uri", "acknowledge": "on"}
    outcome = send(owner, server, "/wamp/publish", JSON, **fields).json()["outcome"]
    assert (outcome["name"], outcome["uri"]) == ("ERROR", "wamp.error.invalid_uri")
    url = f"{server.url}/live/wamp/events?realm=realm1&topic=not+a+uri"
    (_, hello), (name, gone) = first_messages(owner, url, 2)
    assert hello["outcome"]["uri"] == gone["outcome"]["uri"] == "wamp.error.invalid_uri"
    assert name == "gone"
    ((name, gone),) = first_messages(owner, f"{server.url}/live/wamp/events?realm=no&topic=x")
    assert (name, list(gone)) == ("gone", ["reason"])


def test_a_topic_is_heard_live(server: LiveServer, bert: requests.Session) -> None:
    url = f"{server.url}/live/wamp/events?realm=realm1&topic=com.&match=prefix"
    wamp_url = server.sockets["wamp"]
    with (
        json_client(wamp_url) as publisher,
        bert.get(url, stream=True, timeout=20) as reply,
    ):
        lines = reply.iter_lines(decode_unicode=True)
        while not next(lines).startswith("data: "):
            pass
        for number in range(50):
            publisher.send([16, number + 1, {}, "com.x", [number]])
        heard, told = 0, 0
        while told < 50:
            line = next(lines)
            if line.startswith("data: "):
                body = json.loads(line.removeprefix("data: "))
                heard += len(body["rows"]) + body["skipped"]
                told = body["heard"]
        assert heard == 50
        assert body["rows"][-1]["text"] == "[49]"


@pytest.mark.parametrize("name", ["owner", "bert"])
def test_the_programs_to_copy_find_each_other(
    server: LiveServer, name: str, request: pytest.FixtureRequest
) -> None:
    browser: requests.Session = request.getfixturevalue(name)
    page = browser.get(f"{server.url}/wamp/", timeout=20).text
    codes = [
        html.unescape(re.search(rf'id="{which}-code">(.*?)</code>', page, re.DOTALL)[1])  # type: ignore[index] # it was found
        for which in ("subscriber", "publisher")
    ]
    assert all(("getpass()" in code) == (name == "bert") for code in codes)
    codes = [code.replace("getpass()", repr(PASSWORD)) for code in codes]
    with contextlib.ExitStack() as stack:
        programs = [stack.enter_context(running(code)) for code in codes]
        lines = programs[0].stdout
        assert lines is not None
        assert any(line.startswith("heard (") for line in itertools.islice(lines, 20))
        ((_, body),) = first_messages(browser, f"{server.url}/live/wamp/overview")
        assert body["counts"]["sessions"] >= 2


@contextlib.contextmanager
def running(code: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-u", "-W", "ignore", "-c", code]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as program:
        try:
            yield program
        finally:
            program.kill()


def test_an_admin_closes_a_session_and_its_client_is_told_why(
    server: LiveServer, owner: requests.Session
) -> None:
    with json_client(server.sockets["wamp"]) as victim:
        path = f"/wamp/sessions/{victim.session_id}/close"
        assert "Close session?" in owner.get(f"{server.url}{path}?realm=realm1", timeout=20).text
        reply = send(owner, server, path, realm="realm1", reason="too loud")
        assert "Session closed" in reply.text
        assert victim.receive() == [6, {"message": "too loud"}, "wamp.close.killed"]
        again = send(owner, server, path, realm="realm1", reason="too loud")
        assert "had ended meanwhile" in again.text


def test_lists_have_pages(server: LiveServer, owner: requests.Session) -> None:
    with json_client(server.sockets["wamp"]) as client:
        for number in range(60):
            client.ask([32, number + 1, {}, f"many.number{number:02}"])
        url = f"{server.url}/wamp/?show=topics&q=many&sort=uri"
        first, second = (owner.get(f"{url}&page={page}", timeout=20).text for page in (1, 2))
        assert first.count("many.number") > second.count("many.number") > 0
        assert "Page 2 of 2" in second
        assert "many.number59" in second
        assert "many.number59" not in first
        assert "Nothing found" in owner.get(f"{url}&page=3", timeout=20).text


def test_without_a_door_the_page_says_how_to_open_it(tmp_path: Any) -> None:
    with start_server(tmp_path, "--wamp", "off", "--set", "wamp.on_web_port=false") as server:
        browser = requests.Session()
        browser.get(server.welcome_url, timeout=20)
        assert "wamp.port" in browser.get(f"{server.url}/wamp/", timeout=20).text
        url = f"{server.url}/live/wamp/overview"
        assert browser.get(url, timeout=20).status_code == 404
