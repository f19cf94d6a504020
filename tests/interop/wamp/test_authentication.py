"""Each client by each method of authentication that it has, and what it is told when refused."""

from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from tests.interop.wamp.clients import CLIENTS, ClientProcess, Failed

LOCKED_REALM = "com.example.locked"
TICKET, SECRET = "a ticket for the lamp", "a secret for the lamp"
KEY = "07" * 32  # an Ed25519 seed
PUBLIC_KEY = "ea4a6c63e29c520abef5507b132ec5f9954776aebebe7b92421eea691446d22c"
SECRETS = {"ticket": TICKET, "wampcra": SECRET, "scram": SECRET, "cryptosign": KEY}
WAYS_IN = [(name, method) for name, client in CLIENTS.items() for method in client.methods]
TELLS_NO_URI = ("swampyer",)


def principal(authid: str, public_key: str) -> str:
    return f"""
[[wamp.realms.principals]]
authid = "{authid}"
role = "device"
ticket = "{TICKET}"
secret = "{SECRET}"
public_keys = ["{public_key}"]
"""


def others_key(n: int) -> str:
    seed = bytes([128 + n]) * 32
    return Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw().hex()


OTHERS = {f"{client}-{method}": others_key(n) for n, (client, method) in enumerate(WAYS_IN)}
LOCKED = f"""
[[wamp.realms]]
name = "realm1"

[[wamp.realms]]
name = "{LOCKED_REALM}"
{principal("lamp", PUBLIC_KEY)}
# One for each that is refused, since the name is locked after some wrong secrets.
{"".join(principal(authid, key) for authid, key in OTHERS.items())}
"""

ProcessOf = Callable[[str], ClientProcess]
by_each_way_in = pytest.mark.parametrize(("client", "method"), WAYS_IN)
by_each_client = pytest.mark.parametrize("client", CLIENTS)


def proof(
    method: str, secret: str, authid: str = "lamp", public_key: str = PUBLIC_KEY
) -> dict[str, str]:
    return {"method": method, "authid": authid, "secret": secret, "pubkey": public_key}


@by_each_way_in
def test_who_proves_who_it_is_is_let_in(
    client: str, method: str, process_of: ProcessOf, addresses: dict[str, str]
) -> None:
    session = process_of(client).join(
        addresses["ws"], LOCKED_REALM, "json", proof(method, SECRETS[method])
    )
    assert session.welcome["authid"] == "lamp"
    assert session.welcome.get("authmethod") in (method, None)  # xconn does not tell
    session.publish("com.example.topic", 1)
    session.do("leave")


@by_each_way_in
def test_who_proves_something_else_is_refused(
    client: str, method: str, process_of: ProcessOf, addresses: dict[str, str]
) -> None:
    wrong = "08" * 32 if method == "cryptosign" else "another secret"
    authid = f"{client}-{method}"
    auth = proof(method, wrong, authid, OTHERS[authid])
    with pytest.raises(Failed) as refused:
        process_of(client).join(addresses["ws"], LOCKED_REALM, "json", auth)
    assert refused.value.uri in (
        "wamp.error.authentication_denied",
        "wamp.error.not_authorized",
    ) or (client in TELLS_NO_URI and refused.value.uri is None)
    assert "too many" not in str(refused.value)


@by_each_client
def test_a_stranger_is_kept_out_of_a_locked_realm(
    client: str, process_of: ProcessOf, addresses: dict[str, str]
) -> None:
    with pytest.raises(Failed):
        process_of(client).join(addresses["ws"], LOCKED_REALM, "json")


@by_each_client
def test_an_unknown_realm_is_refused_by_name(
    client: str, process_of: ProcessOf, addresses: dict[str, str]
) -> None:
    with pytest.raises(Failed) as refused:
        process_of(client).join(addresses["ws"], "com.example.nowhere", "json")
    assert refused.value.uri == "wamp.error.no_such_realm" or client in TELLS_NO_URI
