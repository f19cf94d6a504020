"""Settings of MQTT: what is wrong is said by name, and no secret is ever shown."""

import json
import tomllib
from pathlib import Path
from typing import Any

import msgspec
import pytest

from thingtank.doors.mqtt.settings import MqttSettings, UserSettings
from thingtank.doors.mqtt.settings_problems import problems_of
from thingtank.server.config import BadSettings, load_config

PAGE = Path(__file__).parents[4] / "docs" / "howto" / "let-mqtt-clients-in.md"
SECRET = "a-secret-that-nobody-sees"
LAMP = {"name": "lamp", "password": SECRET}


def settings(**given: Any) -> MqttSettings:
    return msgspec.convert(given, MqttSettings)


def test_usual_settings_have_no_problem() -> None:
    assert problems_of(MqttSettings()) == []
    assert (
        problems_of(settings(users=[LAMP], acl=[{"topic": "%%a/%c/%u/%d/#", "allow": "both"}]))
        == []
    )
    assert problems_of(settings(topic_alias_max=0, session_expiry_s_max=0)) == []


def user(**given: Any) -> dict[str, Any]:
    return {"users": [{**LAMP, **given}]}


def rule(topic: str = "a/#", **given: Any) -> dict[str, Any]:
    return {"acl": [{"topic": topic, **(given or {"allow": "both"})}]}


PROBLEMS: list[tuple[dict[str, Any], str]] = [
    ({"receive_maximum": 0}, "mqtt.receive_maximum must be 1 to 65535, and is 0"),
    ({"inflight_max": 65_536}, "mqtt.inflight_max must be 1 to 65535, and is 65536"),
    ({"topic_alias_max": 65_536}, "mqtt.topic_alias_max must be 0 to 65535"),
    ({"keep_alive_s_max": 65_536}, "mqtt.keep_alive_s_max must be 1 to 65535"),
    ({"session_expiry_s_max": 2**32}, "mqtt.session_expiry_s_max must be 0 to 4294967295"),
    ({"packet_bytes_max": 268_435_461}, "mqtt.packet_bytes_max must be 16 to 268435460"),
    ({"client_id_bytes_max": 22}, "mqtt.client_id_bytes_max must be 23 to 65535, and is 22"),
    ({"sys_readers": ["group:x"]}, "mqtt.sys_readers: 'group:x' is no principal"),
    ({"users": [LAMP, LAMP]}, "mqtt.users: user 'lamp' stands there 2 times"),
    (user(certificates=["CN=a", "CN=a"]), "mqtt.users: certificate 'CN=a' stands there 2 times"),
    (user(certificates=["lamp"]), "mqtt.users[0].certificates[0]: 'lamp' is neither sha256: and"),
    (user(name=""), "mqtt.users[0].name: must have 1 to 255 printable"),
    (user(name="a\nb"), "mqtt.users[0].name: must have 1 to 255 printable"),
    (user(name="anonymous"), "mqtt.users[0].name: 'anonymous' would mean something else"),
    (user(name="local"), "mqtt.users[0].name: 'local' would mean something else"),
    (user(name="key:7"), "mqtt.users[0].name: 'key:7' would mean something else"),
    (user(name="a*"), "mqtt.users[0].name: 'a*' would mean something else"),
    (user(name="0B1C6f4e-1c2d-4f5a-9a6b-7c8d9e0f1a2b"), "is what a device is called"),
    (user(password="short"), "mqtt.users[0].password: has 5 characters; 8 are the least"),
    (user(password={"environment": "NOT_SET"}), "mqtt.users[0].password: environment variable NOT_SET is not set"),
    (user(password={"file": "/no/such"}), "mqtt.users[0].password: /no/such cannot be read"),
    (rule(""), "mqtt.acl[0].topic: '' is no topic filter"),
    (rule("a/#/b"), "mqtt.acl[0].topic: 'a/#/b' has a # that is not its whole last level"),
    (rule("a#"), "mqtt.acl[0].topic: 'a#' has a # that is not its whole last level"),
    (rule("a+/b"), "mqtt.acl[0].topic: 'a+/b' has a + that is not a whole level"),
    (rule("$share/g/a"), "mqtt.acl[0].topic: '$share/g/a' must be the filter alone"),
    (rule("a/%x"), "mqtt.acl[0].topic: 'a/%x' has a % that is not %c, %u, %d or %%"),
    (rule("a/%"), "mqtt.acl[0].topic: 'a/%' has a % that is not"),
    (rule("x" * 65_536), "has more than 65535 bytes"),
    (rule("/v2/feeds/1.json"), "'/v2/feeds/1.json' is the tank's, where accounts and keys decide"),
    (rule("v2/#"), "'v2/#' is the tank's"),
    (rule("$SYS/#"), "mqtt.acl[0].topic: $SYS is a matter of mqtt.sys_readers"),
    (rule("$SYS/broker/connection/#"), "mqtt.acl[0].topic: $SYS is a matter of mqtt.sys_readers"),
    (rule("a", principals=[], allow="both"), "mqtt.acl[0].principals: are none"),
    (rule("a", principals=["account:"], allow="both"), "mqtt.acl[0].principals: 'account:' is no principal"),
    (rule("a", principals=["*"]), "mqtt.acl[0].allow: one of allow and deny must say what"),
    (rule("a", allow="both", deny="publish"), "mqtt.acl[0].allow: one of allow and deny"),
]  # fmt: skip


@pytest.mark.parametrize(("given", "words"), PROBLEMS, ids=[row[1] for row in PROBLEMS])
def test_what_is_wrong_is_said_with_its_name(given: dict[str, Any], words: str) -> None:
    (problem,) = problems_of(settings(**given), {})
    assert problem.startswith("mqtt.")
    assert words in problem
    assert SECRET not in problem


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("mqtt.port=on", "mqtt.port must be a port or off, not `on`"),
        ("mqtt.connections_max=0", "mqtt.connections_max must be more than 0"),
        ("mqtt.queue_messages_max=-1", "mqtt.queue_messages_max must not be negative"),
        ("mqtt.sys_interval_s=0", "mqtt.sys_interval_s must be more than 0"),
        ("mqtt.anonymous=all", "mqtt.anonymous"),
        ("mqtt.queue_overflow=block", "mqtt.queue_overflow"),
        ("mqtt.inflight_max=70000", "mqtt.inflight_max must be 1 to 65535"),
        ('mqtt.users=[{name="a", password="b"}]', "mqtt.users[0].password: has 1 characters"),
        ('mqtt.acl=[{topic="a"}]', "mqtt.acl[0].allow: one of allow and deny must say what"),
    ],
)
def test_the_server_does_not_start_with_what_is_wrong(setting: str, words: str) -> None:
    with pytest.raises(BadSettings) as raised:
        load_config(None, {}, [setting])
    assert words in str(raised.value)


def test_no_password_is_printed() -> None:
    given = settings(users=[LAMP])
    assert SECRET not in repr(given)
    assert SECRET not in json.dumps(msgspec.to_builtins(given))
    assert SECRET not in repr(UserSettings("lamp", SECRET))


def snippets() -> list[str]:
    blocks = PAGE.read_text().split("```toml\n")[1:]
    return [block.split("```")[0] for block in blocks]


@pytest.mark.parametrize("snippet", snippets())
def test_examples_of_the_page_are_right(snippet: str, tmp_path: Path) -> None:
    secret = tmp_path / "lamp"
    secret.write_text(SECRET)
    document = tomllib.loads(snippet.replace("/run/secrets/lamp", str(secret)))
    given = msgspec.convert(document["mqtt"], MqttSettings)
    assert problems_of(given, {"GATE_PASSWORD": SECRET}) == []


def test_the_page_shows_all_there_is_to_say() -> None:
    text = PAGE.read_text()
    assert len(snippets()) >= 4
    named = ["nobody", "loopback", "with_key", "everyone", "local", "admin", "SCRAM-SHA-256"]
    assert [name for name in named if name not in text] == []
