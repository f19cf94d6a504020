"""What crosses between WAMP and MQTT, by name."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from thingtank.protocols.mqtt.topics import check_topic_name
from thingtank.protocols.wamp.uris import is_uri
from thingtank.server.bridge.names import topic_of, uri_of

UUID = "c0ffee00-0000-4000-8000-000000000000"
KEY = "K" * 48


@pytest.mark.parametrize(
    ("uri", "topic"),
    [
        ("com.example.lights", "com/example/lights"),
        ("test-topic", "test-topic"),
        ("com.Lamp_1.ü", "com/Lamp_1/ü"),
        ("tanks.1", "tanks/1"),
        ("a.tank", "a/tank"),
        ("wampum.1", "wampum/1"),
        ("a.b.v2", "a/b/v2"),
        (f"a.{UUID}", f"a/{UUID}"),
    ],
)
def test_name_that_crosses_is_one_name_there(uri: str, topic: str) -> None:
    assert topic_of(uri) == topic
    assert uri_of(topic) == uri


@pytest.mark.parametrize(
    "uri",
    [
        "",
        "com..x",
        "com.",
        "com.a/b",
        "com.a+b",
        "com.a#b",
        "com.a b",
        "com.\x01",
        "com.\ufdd0",
        "wamp",
        "wamp.session.on_join",
        "tank",
        "tank.feeds.1.a",
        "v2.feeds.1",
        "v1.feeds.1",
        f"{KEY}.v2.feeds.1",
        "$SYS.broker",
        f"{UUID}.a",
        UUID,
        "a" * 1025,
    ],
)
def test_topic_of_wamp_that_is_none_in_mqtt(uri: str) -> None:
    assert topic_of(uri) is None


@pytest.mark.parametrize(
    "topic",
    [
        "/",
        "/a",
        "a/",
        "a//b",
        "a/b.c",
        "a/b c",
        "wamp/session",
        "tank/feeds/1/a",
        "v2/feeds/1.json",
        "/v2/feeds/1",
        "v2/other",
        f"{KEY}/v2/feeds/1",
        f"{KEY}/v1/feedz",
        "$SYS/broker/uptime",
        "$share",
        f"{UUID}/a",
        UUID.upper(),
        "a/" * 600 + "a",
    ],
)
def test_topic_of_mqtt_that_is_none_in_wamp(topic: str) -> None:
    assert uri_of(topic) is None


_NAMES = st.lists(
    st.one_of(
        st.sampled_from(["a", "tank", "wamp", "v1", "v2", "$x", "", "a.b", "a+", " ", UUID]),
        st.text(max_size=6),
    ),
    min_size=1,
    max_size=5,
)


@given(_NAMES)
def test_topic_comes_back_as_itself(levels: list[str]) -> None:
    topic = "/".join(levels)
    uri = uri_of(topic) if topic.isprintable() and not set("+#") & set(topic) else None
    if uri is not None:
        assert is_uri(uri)
        assert topic_of(uri) == topic


@given(_NAMES)
def test_uri_comes_back_as_itself(components: list[str]) -> None:
    uri = ".".join(components)
    topic = topic_of(uri)
    if topic is not None:
        check_topic_name(topic)
        assert uri_of(topic) == uri
