"""What one peer can choose from is one address."""

import pytest

from thingtank.tank.networks import network_of

NETWORKS = [
    ("192.0.2.7", "192.0.2.7"),
    ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
    ("2001:DB8:1:2::", "2001:db8:1:2::/64"),
    ("2001:db8:1:2::ffff", "2001:db8:1:2::/64"),
    ("2001:db8:1:3::1", "2001:db8:1:3::/64"),
    ("::ffff:192.0.2.7", "192.0.2.7"),
    ("fe80::1%eth0", "fe80::/64"),
    ("", ""),
    ("unix:", "unix:"),
    ("a socket", "a socket"),
]


@pytest.mark.parametrize(("address", "network"), NETWORKS)
def test_what_one_peer_can_choose_from_is_one_address(address: str, network: str) -> None:
    assert network_of(address) == network
