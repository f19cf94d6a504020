"""Secrets are not shown, wherever and however they stand; all else is."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from thingtank.net.blotting import (
    PARSED_BYTES_MAX,
    shown_body,
    shown_headers,
    shown_path,
    shown_value,
)
from thingtank.tank.request_log import BODY_BYTES_MAX

SECRET = "s3same-0pen"

HEADERS = {
    "X-ApiKey": SECRET,
    "X-PachubeApiKey": SECRET,
    "Authorization": f"Bearer {SECRET}",
    "Proxy-Authorization": f"Basic {SECRET}",
    "Cookie": f"sessionid={SECRET}",
    "X-Meshblu-Token": SECRET,
    "meshblu_auth_token": SECRET,
    "skynet_auth_token": SECRET,
    "X-Auth-Token": SECRET,
    "X-Hub-Signature": SECRET,
    "My-Client-Secret": SECRET,
    "X-Password": SECRET,
    "Referer": f"https://x.example/page?key={SECRET}",
}


@pytest.mark.parametrize("name", HEADERS)
def test_a_header_with_a_secret_is_shown_by_its_name_only(name: str) -> None:
    ((shown_name, value),) = shown_headers({name.lower().encode(): HEADERS[name].encode()})
    assert shown_name == name.lower()
    assert SECRET not in value


def test_what_is_no_secret_in_headers_is_shown() -> None:
    headers = {b"content-type": b"text/csv", b"meshblu_auth_uuid": b"u-1", b"accept": b"*/*"}
    assert shown_headers(headers) == (
        ("content-type", "text/csv"),
        ("meshblu_auth_uuid", "u-1"),
        ("accept", "*/*"),
    )
    assert shown_headers({b"authorization": b"Basic abc"}) == (("authorization", "Basic …"),)
    assert shown_headers({b"authorization": b"abc"}) == (("authorization", "…"),)


DEEP = [
    b'{"%%":' * 400 + b'{"token":"%b"}' + b"}" * 400,
    b'["key",' + b"[" * 900 + b'{"token":"%b"}' + b"]" * 901,
]


@pytest.mark.parametrize("body", DEEP, ids=["objects", "lists"])
def test_a_body_that_is_very_deep_is_blotted_below_a_level(body: bytes) -> None:
    shown = shown_body(body % SECRET.encode()).decode()
    assert SECRET not in shown
    assert "…" in shown


QUERIES = ["key={}", "a=1&key={}", "k%65y={}", "oauth_token={}", "TOKEN={}", "%74oken={}&b=2", "api_key={}", "password={}", "my%5Ftoken={}", "client_secret={}", "pass={}", "X-ApiKey={}", "url=https%3A%2F%2Fme%3A{}%40x"]  # fmt: skip


@pytest.mark.parametrize("query", QUERIES)
def test_a_secret_in_a_query_is_not_shown(query: str) -> None:
    shown = shown_path("/v2/feeds/7.json", query.format(SECRET).encode())
    assert SECRET not in shown
    assert "…" in shown
    assert shown.startswith("/v2/feeds/7.json?")


BODIES = [
    b'{"token":"%b"}',
    b'{"a":[{"b":{"token":"%b"}}]}',
    b'{"TOKEN":"%b"}',
    b'{"tok\\u0065n":"%b"}',
    b'{"password":"%b","x":1}',
    b'{"meshblu":{"forwarders":[{"url":"https://u:%b@x.example"}]}}',
    b'[{"key":"%b"}]',
    b"token=%b&color=red",
    b"%%74oken=%b&color=red",
    b"color=red&to%%6ben=%b",
    b'{"token":"%b"',  # broken
    b"a[token]=%b",
    b"{'token': '%b'}",
    b'{"data":{"secretAccess":"%b"}}',
    b'{"datastreams":[{"id":"t","current_value":"1","apiKey":"%b"}]}',
    b'{"pwd":"%b"}',
    b'{"wifi_pass":"%b"}',
    b'{"X-ApiKey":"%b"}',
    b'{"pass\\u0077ord":"%b"}',
    b'{"pass\\u0077ord":"%b"',  # broken
    b'{"name":"password","value":"%b"}',
    b'{"url":"https://me:%b@x.example/"}',
    b'{"url":"https://x.example/?a=1&token=%b"}',
    b'{"note":"Authorization: Bearer %b"}',
    b'{"password":{"deep":["%b"',
    b'{"password":"a\\"%b',
    b"{password: %b}",
    b"<feed><password>%b</password><b>1</b></feed>",
    b"<w:password kind='a'>%b</w:password>",
    b"<password><![CDATA[%b]]></password>",
    b"<password><part>%b</part></password>",
    b"<p&#97;ssword>%b</p&#97;ssword>",
    b'<data name="password">%b</data>',
    b'<data password="%b"/>',
    b'<data name="password" value="%b"/>',
    b"password,%b",
    b"user,password,mail\nbob,%b,x@y.example",
    b"user,password\nbob,%b",
    b"password\n%b",
    b"password: a,%b",
    b"note=https://me:%b@x.example&b=1",
    b"\x00p\x00a\x00s\x00s\x00w\x00o\x00r\x00d\x00=%b",
    b"\xa8password\xa7%b\xff\xfe\x00",
    b"x" * 1900 + b'","password":"%b"',
    b'{"x":"' + b"y" * 100_000 + b'"}%b',
    b'{"password":"%b","x":"' + b"y" * 100_000 + b'"}',
]


@pytest.mark.parametrize("body", BODIES)
def test_a_secret_in_a_body_is_not_shown(body: bytes) -> None:
    shown = shown_body(body % SECRET.encode())
    assert SECRET.encode() not in shown
    assert shown, "a body is not left out without a word"


KEY = "Zk3" + "a-B_7xQ" * 6 + "9fG"  # as `token_urlsafe(36)` makes them
TOKEN = "0a1b2c3d4e" * 4


@pytest.mark.parametrize("secret", [KEY, TOKEN])
@pytest.mark.parametrize(
    "body",
    [b'{"a":["%b"]}', b"a,%b", b"<a>%b</a>", b"a=%b", b'{"%b":1}', b"x" * 2020 + b" %b"],
)
def test_what_looks_like_a_key_of_ours_is_not_shown_wherever_it_stands(
    secret: str, body: bytes
) -> None:
    shown = shown_body(body % secret.encode())
    assert secret[:8].encode() not in shown
    assert "…".encode() in shown
    path = shown_path(f"/v2/feeds/{secret}", f"a={secret}&b=2".encode())
    assert path == "/v2/feeds/…?a=…&b=2"
    assert shown_headers({b"x-foo": secret.encode()}) == (("x-foo", "…"),)


@pytest.mark.parametrize(
    "body",
    [b"", b"21.5", b"temperature,21\nhumidity,50%", b'{"a": 1}', b"\x00\xff", b"<a>50 %</a>", b'{"title":"monkey house"}',
     b'{"monkey":1,"compass":2,"signal":-70,"passage":3}', b'{"website":"https://x.example/a?b=c"}',
     b'{"id":"550e8400-e29b-41d4-a716-446655440000"}', b"<unit symbol='%'>signal</unit>"],
)  # fmt: skip
def test_a_body_without_a_secret_is_shown_as_it_was_written(body: bytes) -> None:
    assert shown_body(body) == body


def test_what_stands_beside_a_secret_is_shown() -> None:
    assert json.loads(shown_body(b'{"uuid":"u","token":"x","list":[1,{"key":2}]}')) == {
        "uuid": "u",
        "token": "…",
        "list": [1, {"key": "…"}],
    }
    assert shown_body("token=x&color=grün".encode()).decode() == "token=…&color=grün"


def test_no_more_is_shown_than_the_log_keeps_and_nothing_of_what_takes_long() -> None:
    assert len(shown_body(b"x" * 5000)) == BODY_BYTES_MAX
    long = json.dumps({"token": SECRET, "x": "y" * 5000})
    assert len(shown_body(long.encode())) <= BODY_BYTES_MAX
    longest = json.dumps({"a": 1, "token": SECRET, "x": "y" * PARSED_BYTES_MAX})
    assert shown_body(longest.encode()).decode().startswith('{"a": 1, "token": "…", "x": "yyy')


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=10,
)


def with_secret(value: Any, name: str) -> Any:
    """A value with a secret in its deepest first object or list."""
    if isinstance(value, dict):
        return {**{k: with_secret(v, name) for k, v in value.items()}, name: SECRET}
    if isinstance(value, list):
        return [*(with_secret(each, name) for each in value), {name: {"deep": [SECRET]}}]
    return value


@given(JSON, st.sampled_from(["token", "rootToken", "PASSWORD", "key", "clientSecret"]))
def test_no_value_shows_what_is_called_like_a_secret(value: Any, name: str) -> None:
    assert SECRET.encode() not in shown_value(with_secret(value, name))


def test_what_json_does_not_have_is_not_shown() -> None:
    assert shown_value(10**5000) == b""
