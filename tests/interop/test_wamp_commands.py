"""`thingtank wamp`: publish, subscribe, call, register and run, against a live server."""

import json
import os
import re
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

import pytest
from tests.interop.conftest import Served, made
from tests.live_server import start_server
from tests.prepared_commands import run_prepared
from tests.waiting import wait_until

STOP_S_MAX = 20.0
COMPONENTS = '''
import asyncio
import os
import signal

from autobahn import wamp
from autobahn.asyncio.component import Component
from autobahn.asyncio.wamp import ApplicationSession, Session

class Decorated(ApplicationSession):
    @wamp.register("com.example.twice")
    async def twice(self, number):
        return 2 * number

    @wamp.subscribe("com.example.decorated")
    def heard(self, *args):
        print("heard", *args, flush=True)

class Brief(Session):
    def on_join(self, details):
        print("joined", details.realm, flush=True)
        self.leave()

class Old(ApplicationSession):
    def onJoin(self, details):
        print("joined as", details.authid, "by", details.authmethod, flush=True)
        self.leave()

class Sturdy(Session):
    async def on_join(self, details):
        await self.register(lambda: "here", "com.example.sturdy")
        print("registered", flush=True)

class Both(ApplicationSession):
    def on_join(self, details):
        print("joined", details.realm, flush=True)
        self.call("com.example.both").add_done_callback(lambda called: self.leave())

    @wamp.register("com.example.both")
    def both(self):
        print("called", flush=True)

class Itself(ApplicationSession):
    async def on_join(self, details):
        await self.register(self)
        print(await self.call("com.example.itself"), flush=True)
        self.leave()

    @wamp.register("com.example.itself")
    def itself(self):
        return "by itself"

class Faulty(ApplicationSession):
    def onJoin(self, details):
        print("begun", flush=True)
        raise ValueError("a fault of the component")

faulty = Component(transports="ws://127.0.0.1:9/ws", realm="realm1")

@faulty.on_join
def faulty_joined(session, details):
    print("begun", flush=True)
    raise ValueError("a fault of the component")

made = Component(transports="ws://127.0.0.1:9/ws", realm="realm1")

@made.on_join
async def made_joined(session, details):
    print("made", flush=True)
    session.leave()

def press_ctrl_c():
    os.kill(os.getpid(), signal.SIGINT)

class PressedWhileConnecting(ApplicationSession):
    def __init__(self, config):
        super().__init__(config)
        press_ctrl_c()

class PressedWhileJoining(ApplicationSession):
    def onConnect(self):
        self.join(self.config.realm)
        press_ctrl_c()

class PressedWhileLeaving(ApplicationSession):
    def onJoin(self, details):
        self.leave()
    def onLeave(self, details):
        press_ctrl_c()
        self.disconnect()

class PressedBetweenAttempts(ApplicationSession):
    def onJoin(self, details):
        raise ValueError("a fault of the component")
    def onDisconnect(self):
        asyncio.get_running_loop().call_later(0.01, press_ctrl_c)

pressed_while_closing = Component(transports="ws://127.0.0.1:9/ws", realm="realm1")

@pressed_while_closing.on_join
def pressed_while_closing_joined(session, details):
    press_ctrl_c()
    raise ValueError("a fault of the component")

neither = 7
'''  # fmt: skip
METHODS = {"ticket": "ticket", "secret": "wampcra"}
SLOW_AND_QUICK = """#!/bin/sh
read line
case "$line" in
  *slow*) exec sleep 60;;
  *fail*) exit 3;;
  *much*) exec head -c 2000000 /dev/zero;;
  *text*) echo plain words;;
  *) printf '{"asked": %s}' "$line";;
esac
"""


def command_of(*words: str) -> list[str]:
    return [sys.executable, "-m", "thingtank.cli.main", "wamp", *words]


class Words:
    """Runs words of `thingtank wamp` for one server."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __call__(self, *words: str, **named: Any) -> subprocess.CompletedProcess[str]:
        whole = [*words[:1], "--data", str(self._folder), *words[1:]]
        if not named:
            return run_prepared("wamp", *whole)
        return subprocess.run(
            command_of(*whole), capture_output=True, text=True, timeout=60, check=False, **named,
        )  # fmt: skip

    def printed(self, *words: str) -> str:
        """What a command prints that succeeds."""
        done = self(*words)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def refusal(self, *words: str, code: int = 1, **named: Any) -> str:
        done = self(*words, **named)
        assert done.returncode == code, (done.stdout, done.stderr)
        assert "Traceback" not in done.stderr
        return done.stderr

    @contextmanager
    def running(self, *words: str, **named: Any) -> Iterator[IO[str]]:
        """A command that goes on until Ctrl-C, from when it says that it does; what it prints."""
        command = [*command_of(*words[:1]), "--data", str(self._folder), *words[1:]]
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **named
        )
        assert process.stdout is not None
        assert process.stderr is not None
        try:
            assert process.stderr.readline().startswith(("Subscribed", "Registered", "Joined"))
            yield process.stdout
            process.send_signal(signal.SIGINT)
            _, errors = process.communicate(timeout=STOP_S_MAX)
            assert (process.returncode, errors) == (0, "")
        finally:
            if process.poll() is None:
                process.kill()
            process.communicate()


@pytest.fixture
def words(served: Served) -> Words:
    return Words(served.folder)


@pytest.fixture
def components(served: Served, tmp_path: Path) -> Path:
    """A folder with a module of components."""
    text = COMPONENTS.replace("ws://127.0.0.1:9/ws", served.server.sockets["wamp"])
    (tmp_path / "components.py").write_text(text)
    return tmp_path


def test_what_is_published_is_printed_by_a_subscriber(words: Words) -> None:
    with words.running("subscribe", "com.example.a", "--match", "prefix") as printed:
        sent = words.printed(
            "publish", "com.example.a1", "21.5", "-5", "two words", "--no-acknowledge"
        )
        assert sent.startswith("Sent, unacknowledged: ")
        assert printed.readline() == 'com.example.a1  21.5  -5  "two words"\n'
        done = words.printed("publish", "com.example.a2", "--kwargs", '{"k": [1]}')
        assert done.startswith("Published (publication ")
        assert printed.readline() == "com.example.a2  k=[1]\n"
        words.printed("publish", "com.example.a3")
        assert printed.readline() == "com.example.a3  (nothing)\n"


def test_a_subscriber_ends_after_its_count_and_prints_json(words: Words) -> None:
    words.printed("publish", "com.example.kept", '{"a": null}', "--retain")
    line = words.printed("subscribe", "com.example.kept", "--retained", "--count", "1", "--json")
    event = json.loads(line)
    assert event.pop("publication") > 0
    assert event == {"topic": "com.example.kept", "args": [{"a": None}], "kwargs": {}}


def test_a_registered_echo_is_called(words: Words) -> None:
    with words.running("register", "com.example.echo"):
        assert words.printed("call", "com.example.echo", "1", "a") == '1  "a"\n'
        found = words.printed("call", "com.example.echo", "--kwargs", '{"k": 1}', "--json")
        assert json.loads(found) == {"args": [], "kwargs": {"k": 1}}
        assert words.printed("call", "com.example.echo") == "(nothing)\n"
        taken = words.refusal("register", "com.example.echo")
        assert "registered already" in taken


def test_a_registered_command_answers_calls(words: Words, tmp_path: Path) -> None:
    script = tmp_path / "answer.sh"
    script.write_text(SLOW_AND_QUICK)
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    options = ("--seconds", "30", "--match", "prefix")  # a machine may have much else to do
    with words.running("register", "com.example.command", *options, "--", str(script)):
        found = json.loads(words.printed("call", "com.example.command.x", "5", "--json"))
        asked = {"procedure": "com.example.command.x", "args": [5], "kwargs": {}}
        assert found == {"args": [{"asked": asked}], "kwargs": {}}
        assert words.printed("call", "com.example.command", "text") == '"plain words"\n'
        assert "it ended with 3" in words.refusal("call", "com.example.command", "fail")
        assert "more than 1,000,000" in words.refusal("call", "com.example.command", "much")
    with words.running("register", "com.example.command", "--seconds", "1", "--", str(script)):
        assert "took too long" in words.refusal("call", "com.example.command", "slow")


def test_a_call_that_takes_too_long_is_given_up_and_its_command_ended(
    words: Words, tmp_path: Path
) -> None:
    script = tmp_path / "wait.sh"
    script.write_text(f"#!/bin/sh\necho $$ > {tmp_path}/pid\nexec sleep 60\n")
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    with words.running("register", "com.example.waits", "--", str(script)):
        error = words.refusal("call", "com.example.waits", "--timeout", "0.5")
        assert "the call took too long" in error
        number = int((tmp_path / "pid").read_text())
        # Less than what it would sleep.
        wait_until(lambda: not Path(f"/proc/{number}").exists(), s_max=STOP_S_MAX)


def test_errors_are_said_in_words(words: Words, served: Served) -> None:
    cases = {
        "nobody has registered this procedure": ("call", "com.example.nobody"),
        "nothing listens at ws://127.0.0.1:9/ws; start a server with: thingtank serve": (
            "call", "x", "--url", "ws://127.0.0.1:9/ws",
        ),
        "there is no such realm": ("publish", "x.y", "--realm", "com.example.nowhere"),
        "'a..b' is no URI": ("publish", "a..b"),
        "no address of a WAMP router": ("publish", "a.b", "--url", "http://127.0.0.1/"),
        "a Unix socket is unix:/its/path": ("publish", "a.b", "--url", "rs://a/tmp/a.sock"),
        "tank.x: this session may not do that": ("publish", "tank.x", "1"),
        "404": ("publish", "a.b", "--url", served.server.url.replace("http", "ws") + "/nothing"),
    }  # fmt: skip
    for said, command in cases.items():
        assert said in words.refusal(*command)


@pytest.mark.parametrize("kind", ["ticket", "secret"])
def test_a_device_says_who_it_is_by_a_file_or_the_environment(
    words: Words, served: Served, components: Path, kind: str
) -> None:
    """A ticket goes as it is, a secret by wampcra."""
    device = made(served.folder, "device", "create", "Lamp")
    file = components / "key"
    file.write_text(device["api_key"] + "\n")
    who = ("--authid", device["uuid"])
    run = words("run", "components:Old", *who, f"--{kind}-file", str(file), cwd=components)
    assert run.stdout == f"joined as {device['uuid']} by {METHODS[kind]}\n"
    environment = {**os.environ, f"THINGTANK_WAMP_{kind.upper()}": device["api_key"]}
    done = words("publish", "com.example.lit", *who, env=environment)
    assert done.returncode == 0, done.stderr
    file.write_text("a wrong one")
    refused = words.refusal("publish", "com.example.lit", *who, f"--{kind}-file", str(file))
    assert "did not let this session in" in refused
    assert "a wrong one" not in refused


def test_wrong_use_is_answered_with_2(words: Words) -> None:
    assert "JSON object" in words.refusal("publish", "a.b", "--kwargs", "[1]", code=2)
    assert "needs --ticket-file" in words.refusal("call", "a.b", "--authid", "joe", code=2)
    environment = {**os.environ, "THINGTANK_WAMP_SECRET": "secret"}
    assert "--authid" in words.refusal("call", "a.b", code=2, env=environment)
    assert "module:Component" in words.refusal("run", "nothing", code=2)


def test_a_subscriber_says_when_the_server_has_gone(tmp_path: Path) -> None:
    with start_server(tmp_path) as server:
        url = f"rs://{urlsplit(server.sockets['wamp']).netloc}"
        process = subprocess.Popen(
            command_of("subscribe", "com.example.topic", "--url", url),
            stderr=subprocess.PIPE,
            text=True,
        )
        assert process.stderr is not None
        assert process.stderr.readline().startswith("Subscribed")
    _, errors = process.communicate(timeout=STOP_S_MAX)
    assert (process.returncode, errors) == (1, f"Error: the connection to {url} was lost\n")


def test_a_class_without_on_join_has_its_decorated_methods_served(
    words: Words, components: Path
) -> None:
    with words.running("run", "components:Decorated", cwd=components) as printed:
        wait_until(lambda: words("call", "com.example.twice", "21").stdout == "42\n")
        words.printed("publish", "com.example.decorated", "a")
        assert printed.readline() == "heard a\n"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("Brief", "joined realm1\n"),
        ("made", "made\n"),
        ("Both", "joined realm1\ncalled\n"),
        ("Itself", "by itself\n"),
    ],
)
def test_a_component_that_leaves_ends_the_command(
    words: Words, components: Path, name: str, said: str
) -> None:
    done = words("run", f"components:{name}", cwd=components)
    assert (done.returncode, done.stdout) == (0, said)


def test_what_is_no_component_is_refused_in_words(words: Words, components: Path) -> None:
    cases = {
        "there is no module nowhere": "nowhere:Component",
        "components has no Missing": "components:Missing",
        "is no ApplicationSession class": "components:neither",
    }
    for said, name in cases.items():
        assert said in words.refusal("run", name, cwd=components)
    refused = words("run", "components:Sturdy", "--realm", "com.example.nowhere", cwd=components)
    assert refused.returncode == 1
    assert refused.stderr.startswith("Error: ")
    assert len(refused.stderr.splitlines()) == 1
    assert "there is no such realm" in refused.stderr


@pytest.mark.parametrize("name", ["Faulty", "faulty"])
def test_a_component_that_fails_after_its_join_says_so_and_joins_again(
    served: Served, components: Path, name: str
) -> None:
    process = subprocess.Popen(
        command_of("run", f"components:{name}", "--url", served.server.sockets["wamp"]),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=components,
    )  # fmt: skip
    assert process.stdout is not None
    assert [process.stdout.readline() for _ in range(2)] == ["begun\n"] * 2
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=STOP_S_MAX)
    assert process.returncode == 0, errors
    assert "\nValueError: a fault of the component\nThe component failed after its join" in errors
    assert "never retrieved" not in errors


@pytest.mark.parametrize(
    "name",
    [
        "PressedWhileConnecting",
        "PressedWhileJoining",
        "PressedWhileLeaving",
        "PressedBetweenAttempts",
        "pressed_while_closing",
    ],
)
def test_ctrl_c_ends_a_component_at_any_moment(words: Words, components: Path, name: str) -> None:
    done = words("run", f"components:{name}", cwd=components)
    assert done.returncode == 0, done.stderr
    assert not re.search("Exception in callback|never retrieved|never awaited", done.stderr)


def test_an_api_key_is_a_ticket_without_a_name(words: Words, served: Served) -> None:
    device = made(served.folder, "device", "create", "Lamp")
    environment = {**os.environ, "THINGTANK_WAMP_TICKET": device["api_key"]}
    arguments = ("tank.datapoints.record", str(device["feed_id"]), '{"t": 1}')
    done = words("call", *arguments, "--kwargs", '{"creates_missing": true}', env=environment)
    assert done.returncode == 0, done.stderr


def test_a_component_joins_again_after_the_server_was_away(tmp_path: Path) -> None:
    (tmp_path / "components.py").write_text(COMPONENTS)
    folder = tmp_path / "tank"
    with start_server(folder) as server:
        url = server.sockets["wamp"]
        process = subprocess.Popen(
            command_of("run", "components:Sturdy", "--url", url),
            stdout=subprocess.PIPE, text=True, cwd=tmp_path,
        )  # fmt: skip
        assert process.stdout is not None
        assert process.stdout.readline() == "registered\n"
    with start_server(folder, "--wamp", str(urlsplit(url).port)):
        assert process.stdout.readline() == "registered\n"
        assert Words(folder).printed("call", "com.example.sturdy") == '"here"\n'
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=STOP_S_MAX)
        assert process.returncode == 0
