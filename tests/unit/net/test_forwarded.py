"""Whose connection it is when proxies stand in between."""

import pytest

from thingtank.net.forwarded import client_of


@pytest.mark.parametrize(
    ("peer", "headers", "client"),
    [
        ("192.0.2.1", {}, "192.0.2.1"),
        ("127.0.0.1", {}, "127.0.0.1"),
        # A proxy of ours; the last hop that is not one is the client.
        ("10.0.0.9", {"x-forwarded-for": "198.51.100.7"}, "198.51.100.7"),
        ("10.0.0.9", {"x-forwarded-for": "127.0.0.1, 198.51.100.7"}, "198.51.100.7"),
        ("10.0.0.9", {"x-forwarded-for": "198.51.100.7, 10.1.1.1"}, "198.51.100.7"),
        ("10.0.0.9", {"x-forwarded-for": "10.2.2.2, 10.1.1.1"}, "10.2.2.2"),
        ("10.0.0.9", {"x-forwarded-for": "nonsense"}, "nonsense"),
        ("::ffff:10.0.0.9", {"x-forwarded-for": "198.51.100.7"}, "198.51.100.7"),
        # It does not say whose; all that come by it count as one.
        ("10.0.0.9", {"via": "1.1 proxy"}, "forwarded by 10.0.0.9"),
        ("10.0.0.9", {"x-forwarded-for": " , "}, "forwarded by 10.0.0.9"),
        # Any other proxy: nobody's address, least of all this machine's.
        ("127.0.0.1", {"x-forwarded-for": "127.0.0.1"}, "forwarded by 127.0.0.1"),
        ("127.0.0.1", {"x-real-ip": "127.0.0.1"}, "forwarded by 127.0.0.1"),
        ("127.0.0.1", {"forwarded": "for=127.0.0.1"}, "forwarded by 127.0.0.1"),
        ("127.0.0.1", {"via": "1.1 proxy"}, "forwarded by 127.0.0.1"),
        ("127.0.0.1", {"x-forwarded-proto": "https"}, "forwarded by 127.0.0.1"),
        ("127.0.0.1", {"cf-connecting-ip": "127.0.0.1"}, "forwarded by 127.0.0.1"),
    ],
)
def test_the_client_is_who_trusted_proxies_say(
    peer: str, headers: dict[str, str], client: str
) -> None:
    assert client_of(["10.0.0.0/8"])(peer, headers) == client


def test_without_trusted_proxies_none_is_believed() -> None:
    find_client = client_of(())
    assert find_client("10.0.0.9", {"x-forwarded-for": "127.0.0.1"}) == "forwarded by 10.0.0.9"
