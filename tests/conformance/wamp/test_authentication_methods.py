"""Each method of authentication, with what Autobahn's own code answers to its challenge.

Source: WAMP, Authentication; RFC 5802, 8032.
"""

import asyncio
import base64
import hashlib
import hmac
import json
import re
import warnings
from typing import Any, ClassVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.conformance.wamp.identities import (
    DEVICE_SECRET,
    ELSEWHERE,
    ITERATIONS,
    KEY_SECRET,
    LOOPBACK,
    PASSWORD,
    UUID,
    House,
    answer_of,
    authenticate,
    hello,
    reason_of,
)

from thingtank.doors.wamp.authentication import scram
from thingtank.doors.wamp.authentication.cryptosign import is_signed, to_be_signed
from thingtank.doors.wamp.authentication.scram import Sides, argon2id
from thingtank.net.identity.scram import server_signature
from thingtank.protocols.wamp.authentication import TransportFacts

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # passlib looks for the module crypt
    from autobahn.wamp.auth import AuthScram, compute_wcs, create_authenticator, derive_key
    from autobahn.wamp.types import Challenge
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

PRIVATE_KEY = "4d57d97a68f555696620a6d849c0ce582568518d729eb753dc7c732de2804510"
PUBLIC_KEY = (
    Ed25519PrivateKey.from_private_bytes(bytes.fromhex(PRIVATE_KEY))
    .public_key()
    .public_bytes_raw()
    .hex()
)
LAMP = {
    "authid": "lamp",
    "role": "device",
    "ticket": "ticket-of-lamp",
    "secret": {"environment": "LAMP"},
    "public_keys": [PUBLIC_KEY],
}
LAMP_SECRET = "from-the-environment"
PRINCIPALS = [  # authid, secret, authid of WELCOME, authrole
    ("alice", PASSWORD, "account", "tank"),
    (UUID, DEVICE_SECRET, "device", "tank"),
    ("key:2", KEY_SECRET, "key", "tank"),
    ("lamp", LAMP_SECRET, "device", "static"),
]
NOBODY = ["alice2", "bob", "carol", "dave", "key:99", "key:0", UUID.replace("0", "1")]
NONCE = "bm9uY2Utb2YtY2xpZW50"


class Challenges:
    """What Autobahn's authenticators want to know of a session."""

    class _transport:
        class transport_details:
            channel_id: ClassVar[dict[str, bytes]] = {}


def wampcra_answer(secret: str, extra: dict[str, Any]) -> str:
    with_salt = create_authenticator("wampcra", authid="x", secret=secret)
    return with_salt.on_challenge(None, Challenge("wampcra", extra))


@pytest.mark.parametrize(("authid", "secret", "role", "provider"), PRINCIPALS)
async def test_wampcra(authid: str, secret: str, role: str, provider: str) -> None:
    house = await House.build(principals=[LAMP])
    client = house.connect(ELSEWHERE)
    code, method, extra = await hello(client, "wampcra", authid=authid)
    assert (code, method) == (4, "wampcra")
    assert ("salt" in extra) == (authid == "alice")
    challenge = json.loads(extra["challenge"])
    assert challenge["timestamp"] == "2023-11-14T22:13:20.123Z"
    code, session_id, details = await authenticate(client, wampcra_answer(secret, extra))
    assert code == 2
    assert challenge["session"] == session_id  # TRAP: the one that WELCOME says
    found = [details[each] for each in ("authid", "authrole", "authmethod", "authprovider")]
    assert found == [authid, role, "wampcra", provider]
    assert [
        challenge[each] for each in ("authid", "authrole", "authmethod", "authprovider")
    ] == found


def test_salted_key_is_the_text_of_the_hash() -> None:
    # TRAP: base64 text, not octets; and so is what Django stores.
    key = derive_key(PASSWORD, "aSaltOfTwentyTwoLetter", 1000, 32)
    expected = base64.b64encode(hmac.digest(key, b"challenge", "sha256"))
    assert compute_wcs(key, b"challenge") == expected


@pytest.mark.parametrize(
    ("authid", "secret", "role", "provider"),
    [*PRINCIPALS[:-1], ("lamp", "ticket-of-lamp", "device", "static")],
)
async def test_ticket(authid: str, secret: str, role: str, provider: str) -> None:
    house = await House.build(principals=[LAMP])
    client = house.connect(ELSEWHERE)
    assert await hello(client, "ticket", authid=authid) == [4, "ticket", {}]
    details = (await authenticate(client, secret))[2]
    found = [details[each] for each in ("authid", "authrole", "authmethod", "authprovider")]
    assert found == [authid, role, "ticket", provider]


async def test_key_as_ticket_says_who_it_is() -> None:
    house = await House.build()
    client = house.connect()
    assert await hello(client, "ticket") == [4, "ticket", {}]
    details = (await authenticate(client, KEY_SECRET))[2]
    assert (details["authid"], details["authrole"]) == ("key:2", "key")
    other = house.connect()
    await hello(other, "ticket")
    assert reason_of(await authenticate(other, "no key at all")) == "authentication_denied"


async def test_key_of_all_devices_opens_each() -> None:
    house = await House.build()
    client = house.connect()
    await hello(client, "ticket", authid=UUID)
    assert reason_of(await authenticate(client, KEY_SECRET)) == "welcome"


@pytest.mark.parametrize(
    ("authid", "secret"),
    [("key:1", KEY_SECRET), ("key:2", DEVICE_SECRET), ("alice", KEY_SECRET), (UUID, PASSWORD)],
)
async def test_ticket_of_somebody_else(authid: str, secret: str) -> None:
    house = await House.build()
    client = house.connect()
    await hello(client, "ticket", authid=authid)
    assert reason_of(await authenticate(client, secret)) == "authentication_denied"


@pytest.mark.parametrize(("authid", "secret"), [each[:2] for each in PRINCIPALS[1:]])
async def test_scram_of_autobahn(authid: str, secret: str) -> None:
    house = await House.build(principals=[LAMP])
    client = house.connect(ELSEWHERE)
    theirs = AuthScram(authid=authid, password=secret)
    code, method, extra = await hello(client, "scram", authid=authid, authextra=theirs.authextra)
    assert (code, method, extra["kdf"]) == (4, "scram", "argon2id-13")
    proof = theirs.on_challenge(None, Challenge("scram", extra))
    details = (await authenticate(client, proof.decode()))[2]

    class log:
        info = error = staticmethod(lambda text: None)

    session: Any = type("Session", (), {"log": log})
    assert theirs.on_welcome(session, details["authextra"]) is None  # knows the server


def spec_proof(salted_password: bytes, authid: str, extra: dict[str, Any], bound: bytes = b"n,,"):
    """Proof and verifier, written after the text once more."""
    name = authid.replace("=", "=3D").replace(",", "=2C")
    message = (
        f"n={name},r={NONCE},r={extra['nonce']},s={extra['salt']},i={extra['iterations']},"
        f"c={base64.b64encode(bound).decode()},r={extra['nonce']}"
    ).encode()
    client_key = hmac.digest(salted_password, b"Client Key", "sha256")
    signature = hmac.digest(hashlib.sha256(client_key).digest(), message, "sha256")
    proof = bytes(a ^ b for a, b in zip(client_key, signature, strict=True))
    verifier = hmac.digest(hmac.digest(salted_password, b"Server Key", "sha256"), message, "sha256")
    return base64.b64encode(proof).decode(), base64.b64encode(verifier).decode()


def salted_password(secret: str, extra: dict[str, Any]) -> bytes:
    salt = base64.b64decode(extra["salt"])
    if extra["kdf"] == "pbkdf2":
        return hashlib.pbkdf2_hmac("sha256", secret.encode(), salt, extra["iterations"])
    assert extra["kdf"] == "argon2id13"
    return argon2id(secret.encode(), salt)


@pytest.mark.parametrize(("authid", "secret"), [each[:2] for each in PRINCIPALS])
async def test_scram_of_the_text(authid: str, secret: str) -> None:
    house = await House.build(principals=[LAMP])
    client = house.connect(ELSEWHERE)
    extra = (await hello(client, "wamp-scram", authid=authid, authextra={"nonce": NONCE}))[2]
    proof, verifier = spec_proof(salted_password(secret, extra), authid, extra)
    said = {"nonce": extra["nonce"], "channel_binding": None, "cbind_data": None}
    details = (await authenticate(client, proof, said))[2]
    assert details["authextra"] == {"verifier": verifier}


async def test_secret_that_is_used_stays_derived(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    derived = []
    monkeypatch.setattr(scram, "DERIVED_MAX", 2)
    monkeypatch.setattr(
        scram, "argon2id", lambda *given: derived.append(given[0]) or argon2id(*given)
    )
    house = await House.build(principals=[LAMP])

    async def join(authid: str) -> None:
        client = house.connect(ELSEWHERE)
        secret = dict(each[:2] for each in PRINCIPALS)[authid]
        extra = (await hello(client, "wamp-scram", authid=authid, authextra={"nonce": NONCE}))[2]
        proof, _ = spec_proof(salted_password(secret, extra), authid, extra)
        said = {"nonce": extra["nonce"], "channel_binding": None, "cbind_data": None}
        assert reason_of(await authenticate(client, proof, said)) == "welcome"

    for authid in ("lamp", UUID, "lamp", "key:2", "lamp"):
        await join(authid)
    assert derived == [LAMP_SECRET.encode(), DEVICE_SECRET.encode(), KEY_SECRET.encode()]


def test_scram_agrees_with_the_rfc() -> None:
    # RFC 7677, 3: user `user`, password `pencil`, no channel binding.
    salt = "W22ZaJ0SNY7soEsUEjb6gQ=="
    salted = hashlib.pbkdf2_hmac("sha256", b"pencil", base64.b64decode(salt), 4096)
    nonce = "rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
    sides = Sides("wamp-scram", "user", "rOprNGfwEbeRWgbNEkqO", nonce, salt, 4096, None)
    signature = server_signature(
        salted, sides.auth_message, "dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
    )
    assert signature is not None
    assert base64.b64encode(signature) == b"6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="


@pytest.mark.parametrize(
    ("said", "is_right"),
    [
        ({"channel_binding": "tls-unique", "cbind_data": base64.b64encode(b"id").decode()}, True),
        ({"channel_binding": "tls-unique", "cbind_data": base64.b64encode(b"no").decode()}, False),
        ({"channel_binding": None, "cbind_data": None}, False),
        ({"channel_binding": "tls-unique", "cbind_data": 7}, False),
        (
            {"channel_binding": "tls-exporter", "cbind_data": base64.b64encode(b"id").decode()},
            False,
        ),
    ],
)
async def test_scram_bound_to_its_channel(said: dict[str, Any], is_right: bool) -> None:
    house = await House.build()
    facts = TransportFacts("websocket", "192.0.2.7:1", channel_ids={"tls-unique": b"id"})
    client = house.connect(facts)
    asked = {"nonce": NONCE, "channel_binding": "tls-unique"}
    extra = (await hello(client, "wamp-scram", authid="alice", authextra=asked))[2]
    salted = salted_password(PASSWORD, extra)
    proof, _ = spec_proof(salted, "alice", extra, b"p=tls-unique,,id")
    answer = await authenticate(client, proof, {"nonce": extra["nonce"], **said})
    assert reason_of(answer) == ("welcome" if is_right else "authentication_denied")


VECTORS = [  # WAMP, Cryptosign-based Authentication, Test Vectors: channel id, key, challenge, proof
    (None, PRIVATE_KEY, "f" * 64, "b32675b221f08593213737bef8240e7c15228b07028e19595294678c90d11c0cae80a357331bfc5cc9fb71081464e6e75013517c2cf067ad566a6b7b728e5d03ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"),
    (None, "d511fe78e23934b3dadb52fcd022974b80bd92bccc7c5cf404e46cc0a8a2f5cd", "b26c1f87c13fc1da14997f1b5a71995dff8fbe0a62fae8473c7bdbd05bfb607d", "d4209ad10d5aff6bfbc009d7e924795de138a63515efc7afc6b01b7fe5201372190374886a70207b042294af5bd64ce725cd8dceb344e6d11c09d1aaaf4d660fb26c1f87c13fc1da14997f1b5a71995dff8fbe0a62fae8473c7bdbd05bfb607d"),
    (None, "6e1fde9cf9e2359a87420b65a87dc0c66136e66945196ba2475990d8a0c3a25b", "b05e6b8ad4d69abf74aa3be3c0ee40ae07d66e1895b9ab09285a2f1192d562d2", "7beb282184baadd08f166f16dd683b39cab53816ed81e6955def951cb2ddad1ec184e206746fd82bda075af03711d3d5658fc84a76196b0fa8d1ebc92ef9f30bb05e6b8ad4d69abf74aa3be3c0ee40ae07d66e1895b9ab09285a2f1192d562d2"),
    ("62e935ae755f3d48f80d4d59f6121358c435722a67e859cc0caa8b539027f2ff", PRIVATE_KEY, "f" * 64, "9b6f41540c9b95b4b7b281c3042fa9c54cef43c842d62ea3fd6030fcb66e70b3e80d49d44c29d1635da9348d02ec93f3ed1ef227dfb59a07b580095c2b82f80f9d16ca518aa0c2b707f2b2a609edeca73bca8dd59817a633f35574ac6fd80d00"),
    ("62e935ae755f3d48f80d4d59f6121358c435722a67e859cc0caa8b539027f2ff", "d511fe78e23934b3dadb52fcd022974b80bd92bccc7c5cf404e46cc0a8a2f5cd", "b26c1f87c13fc1da14997f1b5a71995dff8fbe0a62fae8473c7bdbd05bfb607d", "305aaa3ac25e98f651427688b3fc43fe7d8a68a7ec1d7d61c61517c519bd4a427c3015599d83ca28b4c652333920223844ef0725eb5dc2febfd6af7677b73f01d0852a29b460fc92ec943242ac638a053bbacc200512b18b30d15083cbdc9282"),
    ("62e935ae755f3d48f80d4d59f6121358c435722a67e859cc0caa8b539027f2ff", "6e1fde9cf9e2359a87420b65a87dc0c66136e66945196ba2475990d8a0c3a25b", "b05e6b8ad4d69abf74aa3be3c0ee40ae07d66e1895b9ab09285a2f1192d562d2", "ee3c7644fd8070532bc1fde3d70d742267da545d8c8f03e63bda63f1ad4214f4d2c4bfdb4eb9526def42deeb7e31602a6ff99eba893e0a4ad4d45892ca75e608d2b75e24a189a7f78ca776ba36fc53f6c3e31c32f251f2c524f0a44202f2902d"),
]  # fmt: skip


@pytest.mark.parametrize(("channel_id", "private_key", "challenge", "proof"), VECTORS)
def test_cryptosign_vectors(
    channel_id: str | None, private_key: str, challenge: str, proof: str
) -> None:
    key = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(private_key))
    channel = None if channel_id is None else bytes.fromhex(channel_id)
    expected = to_be_signed(bytes.fromhex(challenge), channel)
    public_key = key.public_key().public_bytes_raw().hex()
    assert (key.sign(expected) + expected).hex() == proof
    assert is_signed(public_key, expected, proof)
    assert not is_signed(public_key, expected, "0" + proof[1:])
    assert not is_signed(public_key, b"\0" * 32, proof)  # a right signature of something else
    assert not is_signed(public_key, expected, proof[:128] + "00" * 32)  # says it signed that


@pytest.mark.parametrize("authid", ["", "lamp"])
@pytest.mark.parametrize("binding", [None, "tls-unique"])
async def test_cryptosign(authid: str, binding: str | None) -> None:
    house = await House.build(principals=[LAMP])
    finished = bytes(range(12))  # what TLS 1.2 gives; `test_wamp_ports.py` has it of real TLS
    facts = TransportFacts("websocket", "192.0.2.7:1", channel_ids={"tls-unique": finished})
    client = house.connect(facts)
    extra_of_hello = {} if binding is None else {"channel_binding": binding}
    theirs = create_authenticator("cryptosign", privkey=PRIVATE_KEY, authextra=extra_of_hello)
    extra = (await hello(client, "cryptosign", authid=authid, authextra=theirs.authextra))[2]
    assert extra["channel_binding"] == binding
    signed = bytes.fromhex(extra["challenge"])
    if binding:
        channel_id = hashlib.sha256(finished).digest()
        signed = bytes(a ^ b for a, b in zip(signed, channel_id, strict=True))
    key = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(PRIVATE_KEY))
    answer = await authenticate(client, (key.sign(signed) + signed).hex())
    assert (answer[2]["authid"], answer[2]["authprovider"]) == ("lamp", "static")


@pytest.mark.parametrize("kind", ["tls-unique", "tls-exporter", "", 7])
@pytest.mark.parametrize("method", ["cryptosign", "wamp-scram"])
async def test_nobody_goes_on_without_the_channel_that_is_asked_for(
    method: str, kind: object
) -> None:
    house = await House.build(principals=[LAMP])
    asked = {"pubkey": PUBLIC_KEY, "nonce": NONCE, "channel_binding": kind}
    answer = await hello(house.connect(), method, authid="lamp", authextra=asked)
    assert reason_of(answer) == "no_matching_auth_method"
    assert f"{method!r} cannot have this channel_binding here" in answer[1]["message"]


async def test_signature_of_another_channel_is_wrong() -> None:
    house = await House.build(principals=[LAMP])
    facts = TransportFacts("websocket", "192.0.2.7:1", channel_ids={"tls-unique": b"here"})
    client = house.connect(facts)
    asked = {"pubkey": PUBLIC_KEY, "channel_binding": "tls-unique"}
    extra = (await hello(client, "cryptosign", authextra=asked))[2]
    elsewhere = hashlib.sha256(b"there").digest()
    signed = to_be_signed(bytes.fromhex(extra["challenge"]), elsewhere)
    key = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(PRIVATE_KEY))
    answer = await authenticate(client, (key.sign(signed) + signed).hex())
    assert reason_of(answer) == "authentication_denied"


async def test_autobahn_signs_what_is_expected() -> None:
    house = await House.build(principals=[LAMP])
    client = house.connect(ELSEWHERE)
    theirs = create_authenticator("cryptosign", privkey=PRIVATE_KEY)
    extra = (await hello(client, "cryptosign", authextra=theirs.authextra))[2]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import txaio

        txaio.use_asyncio()
    proof = await theirs.on_challenge(Challenges, Challenge("cryptosign", extra))
    assert reason_of(await authenticate(client, proof)) == "welcome"


async def test_router_proves_itself_if_asked() -> None:
    house = await House.build(principals=[LAMP])
    asked = {"pubkey": PUBLIC_KEY, "challenge": "ab" * 32}
    extra = (await hello(house.connect(), "cryptosign", authextra=asked))[2]
    assert is_signed(extra["pubkey"], bytes.fromhex("ab" * 32), extra["signature"])
    again = (await hello(house.connect(), "cryptosign", authextra=asked))[2]
    assert again["pubkey"] == extra["pubkey"]
    plain = (await hello(house.connect(), "cryptosign", authextra={"pubkey": PUBLIC_KEY}))[2]
    assert set(plain) == {"challenge", "channel_binding"}


@pytest.mark.parametrize(
    "extra", [{}, {"pubkey": 7}, {"pubkey": "ab"}, {"pubkey": "zz" * 32}, {"pubkey": None}]
)
async def test_cryptosign_without_a_key(extra: dict[str, Any]) -> None:
    house = await House.build(principals=[LAMP])
    answer = await hello(house.connect(), "cryptosign", authextra=extra)
    assert reason_of(answer) == "no_matching_auth_method"


@pytest.mark.parametrize(("pubkey", "authid"), [("ab" * 32, ""), (PUBLIC_KEY, "somebody")])
async def test_cryptosign_of_nobody_looks_like_a_wrong_signature(pubkey: str, authid: str) -> None:
    house = await House.build(principals=[LAMP])
    client = house.connect()
    answer = await hello(client, "cryptosign", authid=authid, authextra={"pubkey": pubkey})
    challenge = bytes.fromhex(answer[2]["challenge"])
    key = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(PRIVATE_KEY))
    denied = await authenticate(client, (key.sign(challenge) + challenge).hex())
    assert reason_of(denied) == "authentication_denied"


GARBAGE = [
    "",
    "x",
    "\0",
    "\ud800",
    "=" * 44,
    "A" * 44,
    "é" * 44,
    "0" * 192,
    "A" * 5000,
    PASSWORD + " ",
]


@pytest.mark.parametrize("signature", GARBAGE)
@pytest.mark.parametrize("extra", [{}, {"nonce": 7, "channel_binding": [], "cbind_data": {}}])
@pytest.mark.parametrize("method", ["ticket", "wampcra", "wamp-scram", "scram", "cryptosign"])
async def test_garbage_is_a_wrong_secret(
    method: str, extra: dict[str, Any], signature: str
) -> None:
    house = await House.build(principals=[LAMP])
    for authid in ("lamp", "alice", UUID, "key:2", "nobody"):
        client = house.connect()
        asked = {"nonce": NONCE, "pubkey": PUBLIC_KEY}
        if reason_of(await hello(client, method, authid=authid, authextra=asked)) == "challenge":
            client.serializer = house.world.connect("cbor").serializer  # has surrogates too
            client.session._authenticate(_message(signature, extra))
            assert reason_of(await answer_of(client)) == "authentication_denied"
    assert house.world.realm.members == {}


def _message(signature: str, extra: dict[str, Any]) -> Any:
    from thingtank.protocols.wamp.messages import Authenticate

    return Authenticate(signature, extra)


@pytest.mark.parametrize(
    "nonce", [None, 7, "", "short", "with,comma,in,it", "x" * 257, "new\nline-is-none", "é" * 20]
)
@pytest.mark.parametrize("method", ["scram", "wamp-scram"])
async def test_scram_without_a_nonce(method: str, nonce: Any) -> None:
    house = await House.build()
    answer = await hello(house.connect(), method, authid=UUID, authextra={"nonce": nonce})
    assert reason_of(answer) == "no_matching_auth_method"


@settings(max_examples=40, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(["nonce", "pubkey", "channel_binding", "challenge"]),
        st.none() | st.integers() | st.text(max_size=70) | st.lists(st.integers(), max_size=2),
    ),
    st.text(max_size=300),
    st.sampled_from(["ticket", "wampcra", "wamp-scram", "scram", "cryptosign", "tls", "cookie"]),
)
def test_hello_with_anything_in_it_is_answered(extra, authid, method) -> None:
    async def run() -> None:
        house = await House.build(principals=[LAMP])
        authenticator_answers = await hello(
            house.connect(),
            method,
            authid=authid.encode("utf-8", "replace").decode(),
            authextra=extra,
        )
        assert reason_of(authenticator_answers) in ("challenge", "no_matching_auth_method")

    asyncio.run(run())


@pytest.mark.parametrize("authid", NOBODY)
@pytest.mark.parametrize("method", ["ticket", "wampcra", "wamp-scram", "scram"])
async def test_who_there_is_not_looks_like_somebody(method: str, authid: str) -> None:
    house = await House.build(principals=[LAMP])
    answers = []
    for _ in range(2):
        client = house.connect()
        answer = await hello(client, method, authid=authid, authextra={"nonce": NONCE})
        if answer[0] == 3:
            assert (method, reason_of(answer)) == (
                "scram",
                "no_matching_auth_method",
            )  # as an account
            return
        answers.append({key: answer[2].get(key) for key in ("salt", "iterations", "kdf", "keylen")})
        assert reason_of(await authenticate(client, "A" * 43 + "=")) == "authentication_denied"
    assert answers[0] == answers[1]  # a salt that changed would give it away


@pytest.mark.parametrize("method", ["wampcra", "wamp-scram"])
async def test_salt_of_who_there_is_not_looks_like_djangos(method: str) -> None:
    house = await House.build()
    nonce = {"nonce": NONCE}
    salts = {}
    iterations = set()
    for authid in ["alice", *(f"nobody{number}" for number in range(40))]:
        extra = (await hello(house.connect(), method, authid=authid, authextra=nonce))[2]
        salt = extra["salt"]
        salts[authid] = salt if method == "wampcra" else base64.b64decode(salt).decode()
        iterations.add(extra["iterations"])
    assert iterations == {ITERATIONS}
    assert all(re.fullmatch(r"[A-Za-z0-9]{22}", salt) for salt in salts.values())
    assert len(set(salts.values())) == len(salts)
    # Each of the 62 characters is as likely: 880 of them have nearly all.
    assert len(set("".join(salts.values()))) > 55


async def test_names_that_there_are_not_look_like_accounts_and_like_named_principals() -> None:
    house = await House.build(principals=[LAMP])
    shapes = set()
    for number in range(40):
        extra = (await hello(house.connect(), "wampcra", authid=f"nobody{number}"))[2]
        shapes.add(frozenset(extra))
    lamp = frozenset((await hello(house.connect(), "wampcra", authid="lamp"))[2])
    alice = frozenset((await hello(house.connect(), "wampcra", authid="alice"))[2])
    assert shapes == {lamp, alice}


async def test_first_method_that_fits_is_taken() -> None:
    house = await House.build(principals=[LAMP])
    extra = {"nonce": NONCE}
    for methods, authid, taken in [
        (("wampcra", "ticket"), "alice", "wampcra"),
        (("ticket", "wampcra"), "alice", "ticket"),
        (("scram", "wamp-scram"), "alice", "wamp-scram"),
        (("telepathy", "cookie", "tls", "cryptosign", "ticket"), "alice", "ticket"),
        (("wampcra", "anonymous"), "alice", "wampcra"),
    ]:
        answer = await hello(house.connect(), *methods, authid=authid, authextra=extra)
        assert answer[1] == taken
    answer = await hello(house.connect(), "wampcra", "anonymous")  # no authid
    assert (answer[0], answer[2]["authmethod"]) == (2, "anonymous")


async def test_methods_that_the_realm_does_not_offer() -> None:
    house = await House.build(methods=["ticket"])
    answer = await hello(house.connect(), "wampcra", "anonymous", authid="alice")
    assert reason_of(answer) == "no_matching_auth_method"
    assert "offered are: ticket" in answer[1]["message"]
    assert reason_of(await hello(house.connect(), "ticket", authid="alice")) == "challenge"


@pytest.mark.parametrize(
    ("role", "authid"), [("account_role", "alice"), ("device_role", UUID), ("key_role", "key:2")]
)
async def test_kinds_that_the_realm_keeps_out(role: str, authid: str) -> None:
    house = await House.build({role: ""})
    answer = await hello(house.connect(ELSEWHERE), "ticket", "wampcra", authid=authid)
    assert reason_of(answer) == "no_matching_auth_method"


async def test_admins_have_their_role() -> None:
    for admin_role, role in [("admin", "admin"), ("", "account")]:
        house = await House.build(admin_role=admin_role)
        house.directory.add_account("root", is_admin=True)
        house.passwords.passwords["root"] = "password-of-root"
        client = house.connect()
        await hello(client, "ticket", authid="root")
        assert (await authenticate(client, "password-of-root"))[2]["authrole"] == role


async def test_dead_keys_and_accounts_are_refused() -> None:
    def expire(house: House) -> Any:
        return house.directory.update_key(2, lambda key: _with(key, expires_us=house.now_us))

    async def switch_off(house: House) -> None:
        house.directory.put_account(_with(house.alice, is_active=False))

    async def delete(house: House) -> None:
        await house.directory.delete_key(2)

    for kill in (expire, switch_off, delete):
        for method in ("ticket", "wampcra"):
            house = await House.build()
            await kill(house)
            client = house.connect()
            extra = (await hello(client, method, authid="key:2"))[2]
            answer = KEY_SECRET if method == "ticket" else wampcra_answer(KEY_SECRET, extra)
            assert reason_of(await authenticate(client, answer)) == "authentication_denied"


def _with(value: Any, **changes: Any) -> Any:
    import msgspec

    return msgspec.structs.replace(value, **changes)


async def test_inactive_account_is_refused() -> None:
    house = await House.build()
    house.directory.put_account(_with(house.alice, is_active=False))
    for method in ("ticket", "wampcra"):
        client = house.connect()
        extra = (await hello(client, method, authid="alice"))[2]
        answer = PASSWORD if method == "ticket" else wampcra_answer(PASSWORD, extra)
        assert reason_of(await authenticate(client, answer)) == "authentication_denied"


async def test_guessing_is_stopped_and_the_right_one_waits_too() -> None:
    house = await House.build(principals=[LAMP])
    for authid, secret in [("alice", PASSWORD), ("lamp", "ticket-of-lamp"), ("nobody", "x")]:
        for _ in range(10):
            client = house.connect(ELSEWHERE)
            await hello(client, "ticket", authid=authid)
            await authenticate(client, "wrong")
        answer = await hello(house.connect(ELSEWHERE), "ticket", authid=authid)
        assert reason_of(answer) == "authentication_denied"
        assert answer[1]["message"] == (
            "too many wrong secrets for this authid came from this address;"
            " for this authid, try again in 15 minutes"
        )
        near = house.connect(LOOPBACK)  # another address may go on
        await hello(near, "ticket", authid=authid)
        assert (reason_of(await authenticate(near, secret)) == "welcome") == (authid != "nobody")
        house.now_us += 15 * 60 * 1_000_000
        assert (
            reason_of(await hello(house.connect(ELSEWHERE), "ticket", authid=authid)) == "challenge"
        )


async def test_guessing_many_names_locks_the_whole_address() -> None:
    house = await House.build()
    for number in range(200):
        client = house.connect(ELSEWHERE)
        await hello(client, "wampcra", authid=f"nobody{number}")
        await authenticate(client, "wrong")
    answer = await hello(house.connect(ELSEWHERE), "ticket", authid="alice")
    message = "too many wrong secrets came from this address; try again in 15 minutes"
    assert (reason_of(answer), answer[1]["message"]) == ("authentication_denied", message)


async def test_many_who_were_challenged_at_once_do_not_guess_more() -> None:
    house = await House.build()
    clients = [house.connect(ELSEWHERE) for _ in range(40)]
    for client in clients:
        await hello(client, "ticket", authid="alice")
    for client in clients:
        client.send(5, "wrong", {})
    answers = [await answer_of(client) for client in clients]
    assert {reason_of(answer) for answer in answers} == {
        "authentication_denied",
        "authentication_failed",  # those too many for one address to wait
    }
    assert house.passwords.checked_count <= 11
    assert house.passwords.at_once_most <= 2


@pytest.mark.parametrize("method", ["ticket", "wamp-scram"])
async def test_one_address_that_has_many_secrets_checked_keeps_nobody_else_out(method: str) -> None:
    names = [f"lamp{number}" for number in range(150)]
    named = [{**LAMP, "authid": name} for name in names] if method == "wamp-scram" else []
    house = await House.build(principals=named)
    crowd = []
    for number, name in enumerate(names):  # all of one network
        client = house.connect(TransportFacts("websocket", f"[2001:db8::{number + 1:x}]:5"))
        answer = await hello(client, method, authid=name, authextra={"nonce": NONCE})
        crowd.append((client, answer[2].get("nonce")))
    for client, nonce in crowd:
        client.send(5, "wrong", {"nonce": nonce, "channel_binding": None, "cbind_data": None})
    client = house.connect(ELSEWHERE)
    await hello(client, "ticket", authid="alice")
    assert reason_of(await authenticate(client, PASSWORD)) == "welcome"
    answers = [await answer_of(client) for client, _ in crowd]
    refused = [each for each in answers if reason_of(each) == "authentication_failed"]
    assert len(refused) > 100
    assert refused[0][1]["message"] == "8 of your network wait already; try again later"
    late = house.connect(crowd[0][0].facts)  # nobody of it waits any more
    await hello(late, "ticket", authid="alice")
    assert reason_of(await authenticate(late, PASSWORD)) == "welcome"


async def test_many_signatures_at_once_do_not_guess_more() -> None:
    house = await House.build()
    clients = [house.connect(ELSEWHERE) for _ in range(11)]
    extras = [(await hello(client, "wampcra", authid="alice"))[2] for client in clients]
    for client in clients[:10]:
        await authenticate(client, "wrong")
    answer = await authenticate(clients[10], wampcra_answer(PASSWORD, extras[10]))
    assert "15 minutes" in answer[1]["message"]


async def test_keys_are_not_locked_by_those_who_guess() -> None:
    house = await House.build()
    for _ in range(30):
        client = house.connect(ELSEWHERE)
        await hello(client, "ticket", authid="key:2")
        await authenticate(client, "wrong")
    client = house.connect(ELSEWHERE)
    await hello(client, "ticket", authid="key:2")
    assert reason_of(await authenticate(client, KEY_SECRET)) == "welcome"


async def test_a_failing_store_is_no_wrong_password() -> None:
    from thingtank.tank.errors import StorageFailed

    house = await House.build()

    async def fail(login: str) -> str | None:
        raise StorageFailed("the directory could not be read")

    house.passwords.find_password_hash = fail  # type: ignore[method-assign] # a double in its place
    answer = await hello(house.connect(), "wampcra", authid="alice")
    assert reason_of(answer) == "authentication_failed"


async def test_a_bug_is_logged_and_tells_the_client_nothing(caplog: Any) -> None:
    house = await House.build()

    async def fail(login: str) -> str | None:
        raise ZeroDivisionError("a secret in here")

    house.passwords.find_password_hash = fail  # type: ignore[method-assign] # a double in its place
    answer = await hello(house.connect(), "wampcra", authid="alice")
    assert (reason_of(answer), "secret in" in str(answer)) == ("authentication_failed", False)
