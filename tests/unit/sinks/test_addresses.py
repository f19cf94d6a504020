"""Webhooks reach the open Internet only, whatever clothes an address wears."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from thingtank.sinks.addresses import AddressPolicy, plain_address

OPEN = ["8.8.8.8", "1.1.1.1", "172.15.0.1", "172.32.0.1", "192.167.1.1", "100.63.0.1", "100.128.0.1",
        "2606:4700::1111", "2a00:1450::1", "64:ff9b::808:808", "::ffff:8.8.8.8", "11.0.0.1", "198.20.0.1"]  # fmt: skip

REFUSED = [
    ("127.0.0.1", "loopback"), ("127.255.255.254", "loopback"), ("::1", "loopback"),
    ("::ffff:127.0.0.1", "loopback"), ("::ffff:7f00:1", "loopback"), ("64:ff9b::7f00:1", "loopback"),
    ("10.0.0.1", "private"), ("172.16.0.1", "private"), ("172.31.255.255", "private"),
    ("192.168.1.1", "private"), ("100.64.0.1", "private"), ("fd00::1", "private"), ("fc00::1", "private"),
    ("::ffff:10.0.0.1", "private"), ("64:ff9b::a00:1", "private"),
    ("169.254.1.1", "link-local"), ("fe80::1", "link-local"), ("fe80::1%lo", "link-local"),
    ("169.254.169.254", "metadata"), ("169.254.170.2", "metadata"), ("fd00:ec2::254", "metadata"),
    ("fd20:ce::254", "metadata"), ("168.63.129.16", "metadata"), ("100.100.100.200", "metadata"),
    ("192.0.0.192", "metadata"), ("::ffff:169.254.169.254", "metadata"), ("64:ff9b::a9fe:a9fe", "metadata"),
    ("0.0.0.0", "unspecified"), ("0.1.2.3", "unspecified"), ("::", "unspecified"), ("::ffff:0.0.0.0", "unspecified"),  # noqa: S104 - an address to refuse
    ("224.0.0.1", "multicast"), ("239.255.255.250", "multicast"), ("ff02::1", "multicast"), ("ff0e::1", "multicast"),
    ("255.255.255.255", "reserved"), ("240.0.0.1", "reserved"), ("192.0.2.1", "reserved"), ("198.18.0.1", "reserved"),
    ("192.88.99.1", "reserved"), ("203.0.113.9", "reserved"),
    ("::127.0.0.1", "reserved"), ("::8.8.8.8", "reserved"), ("2002:7f00:1::", "reserved"), ("2001::1", "reserved"),
    ("2001:db8::1", "reserved"), ("64:ff9b:1::7f00:1", "reserved"), ("fec0::1", "reserved"), ("3fff::1", "reserved"),
    ("4000::1", "reserved"), ("100::1", "reserved"), ("5f00::1", "reserved"),
]  # fmt: skip


@pytest.mark.parametrize("text", OPEN)
def test_the_open_internet_may_be_reached(text: str) -> None:
    assert AddressPolicy().refusal(plain_address(text)) == ""


@pytest.mark.parametrize(("text", "kind"), REFUSED)
def test_nothing_else_may(text: str, kind: str) -> None:
    assert kind in AddressPolicy().refusal(plain_address(text))


@pytest.mark.parametrize(("text", "kind"), REFUSED)
def test_allowing_private_networks_opens_those_and_this_machine_alone(text: str, kind: str) -> None:
    refusal = AddressPolicy(allow_private=True).refusal(plain_address(text))
    assert refusal == ("" if kind in ("loopback", "private", "link-local") else refusal)
    assert bool(refusal) == (kind not in ("loopback", "private", "link-local"))


def test_a_listed_network_is_open_and_its_neighbour_is_not() -> None:
    policy = AddressPolicy(allowed_networks=["10.1.0.0/16", "fd00::/64"])
    assert policy.refusal(plain_address("10.1.2.3")) == ""
    assert policy.refusal(plain_address("::ffff:10.1.2.3")) == ""
    assert policy.refusal(plain_address("fd00::5")) == ""
    assert policy.refusal(plain_address("10.2.0.1")) == "private"
    assert policy.refusal(plain_address("fd00:0:0:1::5")) == "private"


@given(st.ip_addresses(v=4))
def test_the_same_is_said_of_an_address_and_of_its_disguises(
    address: ipaddress.IPv4Address,
) -> None:
    policy = AddressPolicy()
    plain = policy.refusal(address)
    assert policy.refusal(plain_address(f"::ffff:{address}")) == plain
    assert policy.refusal(plain_address(f"64:ff9b::{address}")) == plain
    if not address.is_global:
        assert plain
