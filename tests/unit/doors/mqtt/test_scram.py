"""SCRAM-SHA-256 in CONNECT and AUTH: RFC 5802's exchange, and all that it refuses."""

import base64
import hashlib
import hmac
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.unit.doors.mqtt.houses import ELSEWHERE, LAMP, PASSWORD, USER_PASSWORD, House

from thingtank.doors.mqtt.authentication.attempt import ConnectAttempt, Refusal, Refused
from thingtank.doors.mqtt.authentication.enhanced import Authenticated, Challenge
from thingtank.doors.mqtt.authentication.principal import Principal
from thingtank.net.identity.attempts import FAILURES_MAX
from thingtank.net.identity.scram import server_signature

METHOD = "SCRAM-SHA-256"
NONCE = "rOprNGfwEbeRWgbNEkqO"
BAD = Refusal.BAD_USER_NAME_OR_PASSWORD


class Client:
    """The other side, written from the RFC."""

    def __init__(self, house: House, name: str, password: str, before: Principal | None = None):
        attempt = ConnectAttempt("c1", None, None, ELSEWHERE)
        self.exchange = house.authenticator.exchange(attempt, before)
        self.name, self.password = name, password
        self.gs2, self.bare = "n,,", f"n={name},r={NONCE}"
        self.server_first = ""
        self.salted = b""

    async def first(self) -> dict[str, str]:
        answer = await self.exchange.begin(METHOD, (self.gs2 + self.bare).encode())
        assert isinstance(answer, Challenge)
        self.server_first = answer.data.decode()
        return dict(part.split("=", 1) for part in self.server_first.split(","))

    async def last(
        self,
        change: Callable[[str], str] = lambda message: message,
        change_signed: Callable[[str], str] = lambda signed: signed,
    ) -> Authenticated:
        said = dict(part.split("=", 1) for part in self.server_first.split(","))
        salt = base64.b64decode(said["s"])
        self.salted = hashlib.pbkdf2_hmac("sha256", self.password.encode(), salt, int(said["i"]))
        bound = base64.b64encode(self.gs2.encode()).decode()
        signed = change_signed(f"c={bound},r={said['r']}")
        message = f"{self.bare},{self.server_first},{signed}".encode()
        client_key = hmac.digest(self.salted, b"Client Key", "sha256")
        signature = hmac.digest(hashlib.sha256(client_key).digest(), message, "sha256")
        proof = bytes(a ^ b for a, b in zip(client_key, signature, strict=True))
        text = f"{signed},p={base64.b64encode(proof).decode()}"
        answer = await self.exchange.proceed(change(text).encode())
        assert isinstance(answer, Authenticated)
        server_key = hmac.digest(self.salted, b"Server Key", "sha256")
        expected = base64.b64encode(hmac.digest(server_key, message, "sha256"))
        assert answer.data == b"v=" + expected
        return answer


def test_the_example_of_rfc_7677_comes_out() -> None:
    """RFC 7677, 3."""
    salt = base64.b64decode("W22ZaJ0SNY7soEsUEjb6gQ==")
    salted = hashlib.pbkdf2_hmac("sha256", b"pencil", salt, 4096)
    nonce = "rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
    message = f"n=user,r=rOprNGfwEbeRWgbNEkqO,r={nonce},s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,c=biws,r={nonce}"
    proof = "dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
    signature = server_signature(salted, message.encode(), proof)
    assert signature is not None
    assert base64.b64encode(signature) == b"6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="
    assert server_signature(salted, message.encode() + b"x", proof) is None


@pytest.mark.parametrize(
    ("name", "password", "who", "iterations"),
    [("lamp", USER_PASSWORD, "user:lamp", "4096"), ("alice", PASSWORD, "account:1", "1000")],
)
async def test_users_and_accounts_come_in(
    name: str, password: str, who: str, iterations: str
) -> None:
    house = await House.build(users=[LAMP])
    client = Client(house, name, password)
    said = await client.first()
    assert said["i"] == iterations
    assert said["r"].startswith(NONCE)
    assert said["r"] != NONCE
    answer = await client.last()
    assert (answer.principal.id, answer.principal.client_id) == (who, "c1")
    assert answer.principal.address == ELSEWHERE
    assert house.passwords.checked == []


@pytest.mark.parametrize("gs2", ["n,,", "y,,", "n,a=lamp,"])
async def test_headers_without_channel_binding_are_fine(gs2: str) -> None:
    client = Client(await House.build(users=[LAMP]), "lamp", USER_PASSWORD)
    client.gs2 = gs2
    await client.first()
    assert (await client.last()).principal.id == "user:lamp"


async def test_extensions_are_signed_and_otherwise_ignored() -> None:
    client = Client(await House.build(users=[LAMP]), "lamp", USER_PASSWORD)
    client.bare += ",x=more"
    await client.first()
    answer = await client.last(change_signed=lambda signed: signed + ",y=more")
    assert answer.principal.id == "user:lamp"


async def test_names_and_passwords_of_all_scripts_are_compared_in_one_form() -> None:
    """RFC 4013."""
    user = {"name": "Zoë,=", "password": "passwo\u0308rd \u2168"}
    client = Client(await House.build(users=[user]), "Zoe\u0308=2C=3D", "passwörd IX")
    await client.first()
    assert (await client.last()).principal.id == "user:Zoë,="


@pytest.mark.parametrize("name", ["nobody", "stranger", "someone", "gone", "x", "y"])
async def test_names_that_there_are_not_get_the_same_challenge_each_time_and_never_in(
    name: str,
) -> None:
    house = await House.build(users=[LAMP])
    house.passwords.passwords.pop("gone")
    challenges = set()
    for _ in range(2):
        client = Client(house, name, "whatever")
        said = await client.first()
        challenges.add((said["s"], said["i"]))
        with pytest.raises(Refused) as raised:
            await client.last()
        assert raised.value.reason_code == BAD
    assert len(challenges) == 1


async def test_some_strangers_look_like_users_and_some_like_accounts() -> None:
    house = await House.build(users=[LAMP])
    said = [await Client(house, f"name{number}", "x").first() for number in range(40)]
    assert {each["i"] for each in said} == {"4096", "1000"}
    assert {len(base64.b64decode(each["s"])) for each in said if each["i"] == "1000"} == {22}


async def test_a_wrong_password_is_refused_and_counted() -> None:
    house = await House.build(users=[LAMP])
    for _ in range(FAILURES_MAX):
        client = Client(house, "lamp", "wrong")
        await client.first()
        with pytest.raises(Refused) as raised:
            await client.last()
        assert raised.value.reason_code == BAD
    with pytest.raises(Refused) as raised:
        await Client(house, "lamp", USER_PASSWORD).first()
    assert raised.value.reason_code == Refusal.BANNED


async def test_who_was_challenged_in_time_still_waits_when_others_were_wrong() -> None:
    house = await House.build(users=[LAMP])
    clients = [Client(house, "lamp", "wrong") for _ in range(FAILURES_MAX)]
    late = Client(house, "lamp", USER_PASSWORD)
    for client in (*clients, late):
        await client.first()
    for client in clients:
        with pytest.raises(Refused):
            await client.last()
    with pytest.raises(Refused) as raised:
        await late.last()
    assert raised.value.reason_code == Refusal.BANNED


MALFORMED_FIRST = [
    b"",
    b"\xff",
    b"n,,",
    b"n,,n=lamp",
    b"n,,n=lamp,r=short",
    b"n,,r=" + NONCE.encode() + b",n=lamp",
    b"n,,n=,r=" + NONCE.encode(),
    b"n,,n=la=mp,r=" + NONCE.encode(),
    b"n,,n=la\x00mp,r=" + NONCE.encode(),
    b"n,,n=lamp,r=" + NONCE.encode() + b"\x01",
    b"n,,m=x,n=lamp,r=" + NONCE.encode(),
    b"n,a=gate,n=lamp,r=" + NONCE.encode(),
    b"p=tls-unique,,n=lamp,r=" + NONCE.encode(),
    b"n,,n=" + b"x" * 5000 + b",r=" + NONCE.encode(),
]


@pytest.mark.parametrize("data", MALFORMED_FIRST)
async def test_what_is_no_first_message_is_refused(data: bytes) -> None:
    house = await House.build(users=[LAMP])
    exchange = house.authenticator.exchange(ConnectAttempt("c1"))
    with pytest.raises(Refused) as raised:
        await exchange.begin(METHOD, data)
    assert raised.value.reason_code == Refusal.NOT_AUTHORIZED


@pytest.mark.parametrize(
    "method", ["", "SCRAM-SHA-1", "SCRAM-SHA-256-PLUS", "scram-sha-256", "PLAIN"]
)
async def test_an_unknown_method_is_told_which_there_is(method: str) -> None:
    """MQTT 5, 4.12."""
    house = await House.build(users=[LAMP])
    with pytest.raises(Refused, match=METHOD) as raised:
        await house.authenticator.exchange(ConnectAttempt("c1")).begin(method, b"")
    assert raised.value.reason_code == Refusal.BAD_AUTHENTICATION_METHOD


WRONG_LAST: list[tuple[str, Callable[[str], str], Refusal]] = [
    ("another proof", lambda text: text.replace(",p=", ",p=AAAA"), BAD),
    ("no proof", lambda text: text.partition(",p=")[0], Refusal.NOT_AUTHORIZED),
    ("no base64", lambda text: text.partition(",p=")[0] + ",p=A", BAD),
    ("another nonce", lambda text: text.replace("r=" + NONCE, "r=" + NONCE[::-1]), BAD),
    ("another header", lambda text: text.replace("c=biws", "c=eSws"), BAD),
    ("nothing", lambda _: "", Refusal.NOT_AUTHORIZED),
    ("more behind", lambda text: text + ",x=y", Refusal.NOT_AUTHORIZED),
    ("very much", lambda text: text + "A" * 5000, Refusal.NOT_AUTHORIZED),
]


@pytest.mark.parametrize(("change", "code"), [row[1:] for row in WRONG_LAST], ids=[row[0] for row in WRONG_LAST])  # fmt: skip
async def test_what_is_no_right_last_message_is_refused(
    change: Callable[[str], str], code: Refusal
) -> None:
    client = Client(await House.build(users=[LAMP]), "lamp", USER_PASSWORD)
    await client.first()
    with pytest.raises(Refused) as raised:
        await client.last(change)
    assert raised.value.reason_code == code


@pytest.mark.parametrize(
    "change",
    [lambda signed: signed.replace("c=biws", "c=eSws"), lambda signed: signed[:-1] + "x"],
    ids=["another header", "another nonce"],
)
async def test_a_right_proof_of_other_words_is_refused(change: Callable[[str], str]) -> None:
    client = Client(await House.build(users=[LAMP]), "lamp", USER_PASSWORD)
    await client.first()
    with pytest.raises(Refused) as raised:
        await client.last(change_signed=change)
    assert raised.value.reason_code == BAD


async def test_an_answer_counts_once_and_only_after_a_challenge() -> None:
    house = await House.build(users=[LAMP])
    client = Client(house, "lamp", USER_PASSWORD)
    with pytest.raises(Refused):
        await client.exchange.proceed(b"c=biws,r=x,p=AAAA")
    await client.first()
    await client.last()
    with pytest.raises(Refused):
        await client.last()


async def test_the_name_of_connect_must_be_the_same() -> None:
    house = await House.build(users=[LAMP])
    first = f"n,,n=lamp,r={NONCE}".encode()
    for name, is_let in ((None, True), ("", True), ("lamp", True), ("alice", False)):
        exchange = house.authenticator.exchange(ConnectAttempt("c1", name))
        if is_let:
            assert isinstance(await exchange.begin(METHOD, first), Challenge)
        else:
            with pytest.raises(Refused):
                await exchange.begin(METHOD, first)


async def test_who_is_connected_says_anew_who_it_is_and_is_nobody_else() -> None:
    """MQTT 5, 4.12.1."""
    house = await House.build(users=[LAMP])
    client = Client(house, "lamp", USER_PASSWORD)
    await client.first()
    before = (await client.last()).principal
    again = Client(house, "lamp", USER_PASSWORD, before)
    await again.first()
    assert (await again.last()).principal == before
    other = Client(house, "alice", PASSWORD, before)
    await other.first()
    with pytest.raises(Refused) as raised:
        await other.last()
    assert raised.value.reason_code == Refusal.NOT_AUTHORIZED


async def test_client_ids_hold_here_as_well() -> None:
    house = await House.build(users=[{**LAMP, "client_ids": ["lamp-*"]}])
    client = Client(house, "lamp", USER_PASSWORD)
    await client.first()
    with pytest.raises(Refused) as raised:
        await client.last()
    assert raised.value.reason_code == Refusal.CLIENT_IDENTIFIER_NOT_VALID


async def test_a_database_that_does_not_answer_is_no_wrong_password() -> None:
    house = await House.build()
    house.passwords.is_broken = True
    with pytest.raises(Refused) as raised:
        await Client(house, "alice", PASSWORD).first()
    assert raised.value.reason_code == Refusal.SERVER_UNAVAILABLE


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(first=st.binary(max_size=60), last=st.binary(max_size=60))
async def test_rubbish_is_refused_and_nothing_else(first: bytes, last: bytes) -> None:
    house = House(users=[LAMP])
    exchange = house.authenticator.exchange(ConnectAttempt("c1"))
    with pytest.raises(Refused):
        await exchange.begin(METHOD, first)
    await exchange.begin(METHOD, f"n,,n=lamp,r={NONCE}".encode())
    with pytest.raises(Refused):
        await exchange.proceed(last)
