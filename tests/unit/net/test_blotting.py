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


QUERIES = ["key={}", "a=1&key={}", "k%65y={}", "oauth_token={}", "TOKEN={}", "%74oken={}&b=2", "api_key={}", "password={}", "my%5Ftoken={}", "client_secret={}"]  # fmt: skip


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
]


@pytest.mark.parametrize("body", BODIES)
def test_a_secret_in_a_body_is_not_shown(body: bytes) -> None:
    assert SECRET.encode() not in shown_body(body % SECRET.encode())


@pytest.mark.parametrize(
    "body",
    [b"", b"21.5", b"temperature,21\nhumidity,50%", b'{"a": 1}', b"\x00\xff", b"<a>50 %</a>", b'{"title":"monkey house"}'],
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
    assert shown_body(json.dumps({"token": SECRET, "x": "y" * PARSED_BYTES_MAX}).encode()) == b""


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
