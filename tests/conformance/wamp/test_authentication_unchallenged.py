"""Anonymous clients, cookies and client certificates.

Source: WAMP, Authentication.
"""

import datetime
from typing import Any, NamedTuple

import msgspec
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding
from tests.conformance.wamp.identities import (
    ELSEWHERE,
    KEY_SECRET,
    LOOPBACK,
    PASSWORD,
    House,
    authenticate,
    hello,
    reason_of,
)

from thingtank.net.identity.client_address import address_of
from thingtank.protocols.wamp.authentication import TransportFacts

REFUSED, WELCOME = "no_matching_auth_method", "welcome"


def facts(peer: str = "127.0.0.1:1", **headers: str) -> TransportFacts:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return TransportFacts("websocket", peer, headers=named)


WHO_IS_LOCAL = [
    (facts("127.0.0.1:5"), True),
    (facts("127.0.0.1"), True),
    (facts("tcp4:127.0.0.1:5"), True),
    (facts("[::1]:5"), True),
    (facts("::1"), True),
    (facts("::ffff:127.0.0.1"), True),
    (facts("unix"), True),
    (facts("unix:/run/tank.sock"), False),
    (facts("192.0.2.7:5"), False),
    (facts("[2001:db8::1]:5"), False),
    (facts("somewhere"), False),
    (facts(""), False),
    (facts("127.0.0.1.example.org:5"), False),
    (facts(origin="http://localhost:3000"), True),
    (facts(origin="http://127.0.0.1"), True),
    (facts(origin="https://evil.example"), False),  # a page in a browser on this machine
    (facts(origin="http://localhost.evil.example"), False),
    (facts(origin="null"), False),
    (facts(origin="http://[bad"), False),
    (facts(x_forwarded_for="192.0.2.7"), False),  # a proxy on this machine
    (facts(forwarded="for=192.0.2.7"), False),
]


@pytest.mark.parametrize(("transport", "is_local"), WHO_IS_LOCAL)
async def test_anonymous_from_this_machine(transport: TransportFacts, is_local: bool) -> None:
    house = await House.build()
    answer = await hello(house.connect(transport), "anonymous")
    assert reason_of(answer) == (WELCOME if is_local else REFUSED)


@pytest.mark.parametrize(
    ("rule", "name", "near", "far"),
    [
        ("usual", "realm1", True, False),
        ("usual", "plant", False, False),
        ("off", "realm1", False, False),
        ("loopback", "plant", True, False),
        ("everybody", "plant", True, True),
    ],
)
def test_anonymous_rule_of_a_realm(rule: Any, name: str, near: bool, far: bool) -> None:
    house = House({"name": name}, anonymous=rule)
    rule_now = house.settings.anonymous_rule
    assert (rule_now != "off", rule_now == "everybody") == (near, far)


async def test_anonymous_is_not_who_it_says() -> None:
    house = await House.build()
    claims: dict[str, Any] = {"authid": "alice", "authrole": "admin"}
    first, second = [await hello(house.connect(), "anonymous", **claims) for _ in range(2)]
    assert first[2]["authrole"] == "anonymous"
    assert first[2]["authid"].startswith("anonymous-")
    assert first[2]["authid"] != second[2]["authid"]


async def test_no_methods_mean_anonymous() -> None:
    house = await House.build()
    client = house.connect()
    client.hello()
    assert client.take_one()[2]["authmethod"] == "anonymous"


@pytest.mark.parametrize(
    ("peer", "address"),
    [
        ("192.0.2.7:5", "192.0.2.7"),
        ("tls6:[2001:db8::1]:5", "2001:db8::1"),
        ("ws://192.0.2.7:5", "192.0.2.7"),
        ("fe80::1%eth0", "fe80::1"),
        ("unix", ""),
        ("", ""),
        (":", ""),
        ("[", ""),
    ],
)
def test_address_in_a_peers_text(peer: str, address: str) -> None:
    assert address_of(peer) == address


class Head(NamedTuple):
    headers: dict[str, str]
    is_secure: bool = False


class Browser:
    """Keeps the cookie that it is given."""

    def __init__(self, house: House, *, is_secure: bool = False) -> None:
        self.house = house
        self.is_secure = is_secure
        self.jar: dict[str, str] = {}
        self.set_cookie: str | None = None

    def connect(self, origin: str = "http://tank.example", peer: str = "192.0.2.7:1") -> Any:
        head = Head({"host": "tank.example", "origin": origin, **self.jar}, self.is_secure)
        answer = dict(self.house.authenticator.cookies.headers_for(head))
        self.set_cookie = answer.get("Set-Cookie")
        if self.set_cookie:
            self.jar["cookie"] = "other=1; " + self.set_cookie.partition(";")[0]
        return self.house.connect(TransportFacts("websocket", peer, headers=head.headers))

    async def sign_in(self, authid: str = "alice", secret: str = PASSWORD) -> Any:
        client = self.connect()
        await hello(client, "cookie", "ticket", authid=authid)
        return await authenticate(client, secret)


async def test_cookie_after_another_method() -> None:
    house = await House.build()
    browser = Browser(house)
    client = browser.connect()
    assert browser.set_cookie is not None
    assert all(each in browser.set_cookie for each in ("HttpOnly", "SameSite=Strict", "Path=/"))
    assert reason_of(await hello(client, "cookie")) == REFUSED
    assert len(house.authenticator.cookies) == 0
    assert reason_of(await browser.sign_in()) == WELCOME
    details = (await hello(browser.connect(), "cookie"))[2]
    assert browser.set_cookie is None  # it has one that means something
    found = [details[each] for each in ("authid", "authrole", "authmethod", "authprovider")]
    assert found == ["alice", "account", "cookie", "tank"]
    assert reason_of(await hello(browser.connect(), "cookie", authid="bob")) == REFUSED


def test_cookie_over_tls_stays_there() -> None:
    ((name, value),) = House().authenticator.cookies.headers_for(Head({}, is_secure=True))
    assert (name, value.endswith("; Path=/; Secure")) == ("Set-Cookie", True)
    assert value.startswith("__Host-thingtank_wamp=")  # which no sibling of this host can set


async def test_cookie_over_tls_lets_in_and_the_one_without_tls_does_not() -> None:
    browser = Browser(await House.build(), is_secure=True)
    await browser.sign_in()
    assert reason_of(await hello(browser.connect(), "cookie")) == WELCOME
    browser.is_secure = False
    assert reason_of(await hello(browser.connect(), "cookie")) == REFUSED
    browser.is_secure = True
    browser.jar["cookie"] = browser.jar["cookie"].replace("__Host-", "")
    assert reason_of(await hello(browser.connect(), "cookie")) == REFUSED


PLANTED = "thingtank_wamp=" + "ab" * 32


@pytest.mark.parametrize("whose", ["invented", "issued to the attacker", "of the attacker's login"])
async def test_cookie_that_was_planted_never_becomes_the_victims(whose: str) -> None:
    house = await House.build()
    house.passwords.passwords["mallory"] = PASSWORD
    house.directory.add_account("mallory")
    attacker, victim = Browser(house), Browser(house)
    if whose == "of the attacker's login":
        await attacker.sign_in("mallory")
    elif whose == "issued to the attacker":
        attacker.connect()
    else:
        attacker.jar["cookie"] = PLANTED
    planted = attacker.jar["cookie"]
    victim.jar["cookie"] = planted
    assert reason_of(await victim.sign_in()) == WELCOME
    attacker.jar["cookie"] = planted
    answer = await hello(attacker.connect(), "cookie")
    assert answer[0] == 3 or answer[2]["authid"] == "mallory"
    # The victim has its own from now on, or from its next sign-in.
    if victim.jar["cookie"] == planted:
        await victim.sign_in()
    assert victim.jar["cookie"] != planted
    assert (await hello(victim.connect(), "cookie"))[2]["authid"] == "alice"


async def test_cookie_that_was_planted_beside_the_own_one_does_not_hide_it() -> None:
    browser = Browser(await House.build())
    await browser.sign_in()
    browser.jar["cookie"] = f"{PLANTED}; {browser.jar['cookie']}"
    assert reason_of(await hello(browser.connect(), "cookie")) == WELCOME


async def test_cookie_of_another_person_ends_when_somebody_signs_in_with_it() -> None:
    house = await House.build()
    house.directory.add_account("bob")
    house.passwords.passwords["bob"] = PASSWORD
    browser = Browser(house)
    await browser.sign_in("alice")
    await browser.sign_in("bob")
    assert reason_of(await hello(browser.connect(), "cookie")) == REFUSED
    await browser.sign_in("bob")
    assert (await hello(browser.connect(), "cookie"))[2]["authid"] == "bob"


async def test_cookie_whose_meaning_ended_on_this_connection_does_not_get_another() -> None:
    house = await House.build()
    browser = Browser(house)
    await browser.sign_in()
    client = browser.connect()
    house.now_us += 7 * 86_400 * 1_000_000
    assert reason_of(await hello(client, "cookie", "ticket", authid="alice")) == "challenge"
    assert reason_of(await authenticate(client, PASSWORD)) == WELCOME
    assert len(house.authenticator.cookies) == 0
    await browser.sign_in()
    assert reason_of(await hello(browser.connect(), "cookie")) == WELCOME


async def test_cookie_of_the_same_person_is_kept_at_another_sign_in() -> None:
    browser = Browser(await House.build())
    await browser.sign_in()
    await browser.sign_in()
    assert reason_of(await hello(browser.connect(), "cookie")) == WELCOME
    assert browser.set_cookie is None


async def test_cookies_that_mean_nothing_yet_are_bounded() -> None:
    house = await House.build()
    house.authenticator.cookies._kept_max = 3
    first, last = Browser(house), Browser(house)
    early = first.connect()
    for _ in range(3):
        last_client = last.connect()
    for client in (early, last_client):
        await hello(client, "ticket", authid="alice")
        assert reason_of(await authenticate(client, PASSWORD)) == WELCOME
    assert reason_of(await hello(last.connect(), "cookie")) == WELCOME
    assert reason_of(await hello(first.connect(), "cookie")) == REFUSED


def test_cookies_of_others_stay_in_the_request() -> None:
    head = Head({"cookie": f"a=1; {PLANTED}; b=2;{PLANTED}; __Host-{PLANTED}"})
    ((_, value),) = House().authenticator.cookies.headers_for(head)
    assert head.headers["cookie"] == value.partition(";")[0] + "; a=1; b=2"


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://tank.example:81", ""])
async def test_cookie_is_not_for_pages_of_other_sites(origin: str) -> None:
    browser = Browser(await House.build())
    await browser.sign_in()
    assert reason_of(await hello(browser.connect(origin), "cookie")) == REFUSED


async def test_cookie_of_a_failed_attempt_or_of_an_anonymous_one_means_nothing() -> None:
    browser = Browser(await House.build(anonymous="everybody"))
    await browser.sign_in(secret="wrong")
    await hello(browser.connect(), "anonymous")
    assert reason_of(await hello(browser.connect(), "cookie")) == REFUSED


@pytest.mark.parametrize("how", ["expired", "password", "inactive", "role", "key"])
async def test_cookie_ends_with_what_it_was_given_for(how: str) -> None:
    house = await House.build()
    browser = Browser(house)
    await browser.sign_in(*(("key:2", KEY_SECRET) if how == "key" else ("alice", PASSWORD)))
    if how == "expired":
        house.now_us += 7 * 86_400 * 1_000_000
    elif how == "password":
        house.passwords.passwords["alice"] = "another one"
    elif how == "inactive":
        house.directory.put_account(msgspec.structs.replace(house.alice, is_active=False))
    elif how == "role":
        house.directory.put_account(msgspec.structs.replace(house.alice, is_admin=True))
    else:
        await house.directory.replace_secret(2, "another secret")
    assert reason_of(await hello(browser.connect(), "cookie")) == REFUSED
    assert len(house.authenticator.cookies) == 0


async def test_cookies_are_bounded_and_garbage_is_none() -> None:
    house = await House.build()
    cookies = house.authenticator.cookies
    cookies._kept_max = 3
    for _ in range(5):
        assert reason_of(await Browser(house).sign_in()) == WELCOME
    assert len(cookies) == 3
    for text in ("", "thingtank_wamp=", "thingtank_wamp=zz; ;=;", "x" * 100_000, "\ud800"):
        assert cookies.headers_for(Head({"cookie": text})) != ()


async def test_cookie_is_of_one_realm() -> None:
    browser = Browser(await House.build())
    await browser.sign_in()
    facts = browser.connect().facts
    cookies = browser.house.authenticator.cookies
    assert cookies.find(facts, "realm1") is not None
    assert cookies.find(facts, "realm2") is None


async def test_no_cookie_where_the_realm_has_none() -> None:
    browser = Browser(await House.build(methods=["ticket"]))
    await browser.sign_in()
    assert len(browser.house.authenticator.cookies) == 0


def certificate(subject: str) -> bytes:
    key = Ed25519PrivateKey.generate()
    name = x509.Name.from_rfc4514_string(subject)
    now = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name)
    builder = builder.public_key(key.public_key()).serial_number(7)
    builder = builder.not_valid_before(now).not_valid_after(now + datetime.timedelta(days=1))
    return builder.sign(key, None).public_bytes(Encoding.DER)


LAMP = certificate("CN=lamp,O=Example")
CERTIFICATES = {"lamp's": LAMP, "another": certificate("CN=other"), "rubbish": b"x", "none": None}


def fingerprint(der: bytes) -> str:
    import hashlib

    return "sha256:" + hashlib.sha256(der).hexdigest().upper()


@pytest.mark.parametrize("name", ["fingerprint", "CN=lamp,O=Example"])
@pytest.mark.parametrize(
    ("shown", "authid", "is_known"),
    [
        ("lamp's", "", True),
        ("lamp's", "lamp", True),
        ("lamp's", "other", False),
        ("another", "", False),
        ("rubbish", "", False),
        ("none", "", False),
    ],
)
async def test_tls(name: str, shown: str, authid: str, is_known: bool) -> None:
    named = fingerprint(LAMP) if name == "fingerprint" else name
    principal = {"authid": "lamp", "role": "device", "certificates": [named]}
    house = await House.build(principals=[principal])
    transport = TransportFacts("rawsocket", "192.0.2.7:1", certificate=CERTIFICATES[shown])
    answer = await hello(house.connect(transport), "tls", authid=authid)
    assert reason_of(answer) == (WELCOME if is_known else REFUSED)
    if is_known:
        assert (answer[2]["authid"], answer[2]["authmethod"]) == ("lamp", "tls")


def test_loopback_and_elsewhere_are_what_they_are_called() -> None:
    assert (LOOPBACK.peer, ELSEWHERE.peer) == ("127.0.0.1:50001", "192.0.2.7:50001")
