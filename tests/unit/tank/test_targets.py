"""URLs and addresses: what may be delivered to, and what is refused, without being quoted."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from thingtank.tank.targets import (
    BadTarget,
    WebhookTarget,
    host_of,
    parse_address,
    parse_url,
)

GOOD_URLS = [
    ("http://a.example", WebhookTarget("http", "a.example", 80, "/")),
    ("https://A.Example:8443/x%20y?q=1#part", WebhookTarget("https", "a.example", 8443, "/x%20y?q=1")),
    ("HTTP://a.example?q", WebhookTarget("http", "a.example", 80, "/?q")),
    ("http://u%40x:p%3A@a.example/", WebhookTarget("http", "a.example", 80, "/", "u@x", "p:")),
    ("http://[::1]:81/", WebhookTarget("http", "::1", 81, "/")),
    ("http://127.0.0.1/", WebhookTarget("http", "127.0.0.1", 80, "/")),
    ("https://bücher.example/", WebhookTarget("https", "xn--bcher-kva.example", 443, "/")),
    ("https://straße.example/", WebhookTarget("https", "xn--strae-oqa.example", 443, "/")),
    ("http://my_host.example./", WebhookTarget("http", "my_host.example.", 80, "/")),
]  # fmt: skip

BAD_URLS = [
    ("another scheme", "ftp://a.example/", "must begin with http"),
    ("a file", "file:///etc/passwd", "must begin with http"),
    ("no scheme", "a.example/x", "must begin with http"),
    ("nothing", "", "must begin with http"),
    ("no host", "http:///x", "no host"),
    ("a port out of range", "http://a.example:99999/", "cannot be read"),
    ("port 0", "http://a.example:0/", "within 1 and 65535"),
    ("a port of letters", "http://a.example:x/", "cannot be read"),
    ("a line end in the path", "http://a.example/\r\nHost: b", "percent-encoded"),
    ("a tab in the host", "http://a.exa\tmple/", "percent-encoded"),
    ("a space in the path", "http://a.example/a b", "percent-encoded"),
    ("a letter beyond ASCII in the path", "http://a.example/ü", "percent-encoded"),
    ("a space in the host", "http://a b.example/", "cannot exist|can exist"),
    ("a backslash in the host", "http://a.example\\@b.example/", "percent-encoded"),
    ("a percent sign in the host", "http://a%2eexample/", "can exist"),
    ("a scope in the address", "http://[fe80::1%25eth0]/", "IPv6|cannot be read"),
    ("a label too long", f"http://{'a' * 64}.example/", "can exist"),
    ("an open bracket", "http://[::1/", "cannot be read"),
    ("too long", "http://a.example/" + "x" * 2048, "longer than 2048"),
]


@pytest.mark.parametrize(("url", "target"), GOOD_URLS)
def test_a_url_is_taken_apart(url: str, target: WebhookTarget) -> None:
    assert parse_url(url) == target


@pytest.mark.parametrize(("url", "words"), [row[1:] for row in BAD_URLS], ids=[row[0] for row in BAD_URLS])  # fmt: skip
def test_a_url_that_nothing_can_be_delivered_to_is_refused(url: str, words: str) -> None:
    with pytest.raises(BadTarget, match=words):
        parse_url(url)
    assert host_of("webhook", url) == "invalid"


@pytest.mark.parametrize(
    "address", ["a@b.example", "first.last+tag@sub.example.org", "o'x@b.example"]
)
def test_a_plain_address_is_taken(address: str) -> None:
    assert parse_address(address) == address


def test_an_addresss_domain_may_be_of_any_script() -> None:
    assert parse_address("a@Bücher.example") == "a@xn--bcher-kva.example"


@pytest.mark.parametrize(
    "address",
    [
        "", "a", "@b.example", "a@", "a@b@c", "a b@c.example", "a@b.example, c@d.example",
        "A <a@b.example>", "a@b.example\r\nBcc: c@d.example", "a\n@b.example", '"a b"@c.example',
        "a@b.example\x00", ".a@b.example", "a..b@c.example", "ü@b.example", "a@[127.0.0.1]",
        "x" * 65 + "@b.example", "x" * 64 + "@" + ".".join(["b" * 60] * 3) + ".example",
    ],
)  # fmt: skip
def test_everything_else_is_no_address(address: str) -> None:
    with pytest.raises(BadTarget):
        parse_address(address)


def test_what_a_delivery_depends_on_tells_no_secrets() -> None:
    assert host_of("webhook", "https://u:secret@a.example/token?key=1") == "https://a.example:443"
    assert host_of("email", "a@b.example") == "email"


@given(st.one_of(st.text(), st.text().map("http://{}".format), st.text().map("http://a{}/".format)))
def test_garbage_is_refused_or_safe_to_send(text: str) -> None:
    try:
        target = parse_url(text)
    except BadTarget:
        return
    assert all(0x21 <= ord(x) <= 0x7E for x in target.path + target.host)
    assert 0 < target.port < 65_536


@given(st.text() | st.emails())
def test_whatever_is_taken_for_an_address_has_nothing_that_ends_a_header(text: str) -> None:
    try:
        address = parse_address(text)
    except BadTarget:
        return
    assert not set(address) & set('\r\n \t<>,;:"()[]\\')
