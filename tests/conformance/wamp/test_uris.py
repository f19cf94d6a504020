"""URIs, use by use.

Source: WAMP, URIs; Pattern-based Subscriptions; Pattern-based Registrations.
"""

import time

import pytest

from thingtank.protocols.wamp.errors import InvalidUri
from thingtank.protocols.wamp.options import Match
from thingtank.protocols.wamp.uris import (
    URI_CHARS_MAX,
    check_own_uri,
    check_uri,
    is_reserved,
    is_uri,
)

# URI: the matches that it is valid for, loosely and strictly
CASES: list[tuple[str, str, str]] = [
    ("com.example.topic_1", "epw", "epw"),
    ("topic", "epw", "epw"),
    ("test-topic", "epw", ""),
    ("Com.Example", "epw", ""),
    ("com.exämple.ü", "epw", ""),
    ("com.example/x?y=z", "epw", ""),
    ("com.例え.温度", "epw", ""),
    ("", "pw", "pw"),
    ("com.app.", "pw", "pw"),
    ("com..temp", "w", "w"),
    (".x", "w", "w"),
    ("..", "w", "w"),
    (".", "w", "w"),
    ("a..", "w", "w"),
    ("a..b.", "w", "w"),
    ("com.my app", "", ""),
    ("com.app\n", "", ""),
    ("com.app\t.x", "", ""),
    ("com.app\u00a0x", "", ""),
    ("com.app#x", "", ""),
    ("#", "", ""),
    (" ", "", ""),
    ("a" * URI_CHARS_MAX, "epw", "epw"),
    ("a" * (URI_CHARS_MAX + 1), "", ""),
]
MATCHES: dict[str, Match] = {"e": "exact", "p": "prefix", "w": "wildcard"}


@pytest.mark.parametrize(("uri", "loosely", "strictly"), CASES)
def test_uri_is_valid_for_its_uses(uri: str, loosely: str, strictly: str) -> None:
    for letter, match in MATCHES.items():
        assert is_uri(uri, match) == (letter in loosely), match
        assert is_uri(uri, match, is_strict=True) == (letter in strictly), match


def test_malformed_uri_is_answered_by_an_error_and_no_violation() -> None:
    check_uri("com.example")
    check_uri("com..", "wildcard")
    with pytest.raises(InvalidUri, match=r"com\.\."):
        check_uri("com..")
    with pytest.raises(InvalidUri, match="test-topic"):
        check_uri("test-topic", is_strict=True)


@pytest.mark.parametrize("uri", ["wamp", "wamp.", "wamp.session.on_join", "wamp..x"])
def test_names_of_the_router_are_not_a_client_s(uri: str) -> None:
    """Neither PUBLISH nor REGISTER; SUBSCRIBE and CALL are what they are for."""
    assert is_reserved(uri)
    check_uri(uri, "wildcard")
    with pytest.raises(InvalidUri, match="wamp"):
        check_own_uri(uri, "wildcard")


@pytest.mark.parametrize("uri", ["wampum.x", "com.wamp.x", "Wamp.x", "wam", ".wamp", ""])
def test_names_that_only_look_like_the_router_s_are_free(uri: str) -> None:
    assert not is_reserved(uri)
    check_own_uri(uri, "wildcard")


def test_long_uri_is_looked_at_once_over() -> None:
    start_s = time.monotonic()
    for uri in ("a." * 500 + "#", "." * 1000 + " ", "a" * 10_000_000):
        for match in MATCHES.values():
            assert not is_uri(uri, match)
    assert time.monotonic() - start_s < 1
