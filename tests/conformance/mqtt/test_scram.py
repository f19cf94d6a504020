"""Enhanced authentication carried through, with SCRAM-SHA-256. Source: MQTT 5, 4.12; RFC 5802."""

import base64
import hashlib
import hmac
import secrets
from typing import Any

import pytest
from tests.conformance.mqtt.octets import PINGREQ, Kind, auth
from tests.conformance.mqtt.wire import Broker, Client, Closed, Packet

METHOD = "SCRAM-SHA-256"
USER, PASSWORD = "known", "right-password"  # as in the settings of `conftest.py`
SUCCESS, CONTINUE, AGAIN = 0x00, 0x18, 0x19
REFUSALS = (0x83, 0x86, 0x87, 0x8C)


class Scram:
    """The client's side of one exchange."""

    def __init__(self, user: str = USER, password: str = PASSWORD) -> None:
        self._password = password.encode()
        self._bare = f"n={user},r={secrets.token_hex(12)}"
        self._server_signature = b""

    def first(self) -> bytes:
        return f"n,,{self._bare}".encode()

    def final(self, challenge: bytes) -> bytes:
        """The answer to a challenge."""
        fields = dict(each.split("=", 1) for each in challenge.decode().split(","))
        salt = base64.b64decode(fields["s"])
        salted = hashlib.pbkdf2_hmac("sha256", self._password, salt, int(fields["i"]))
        unproven = f"c=biws,r={fields['r']}"
        signed = f"{self._bare},{challenge.decode()},{unproven}".encode()
        client_key = hmac.digest(salted, b"Client Key", "sha256")
        stored_key = hashlib.sha256(client_key).digest()
        signature = hmac.digest(stored_key, signed, "sha256")
        proof = bytes(a ^ b for a, b in zip(client_key, signature, strict=True))
        server_key = hmac.digest(salted, b"Server Key", "sha256")
        self._server_signature = hmac.digest(server_key, signed, "sha256")
        return f"{unproven},p={base64.b64encode(proof).decode()}".encode()

    def check(self, outcome: bytes) -> None:
        """The server has shown that it knows the password as well."""
        assert outcome == b"v=" + base64.b64encode(self._server_signature)


def given(data: bytes, method: str = METHOD) -> dict[str, Any]:
    return {"authentication_method": method, "authentication_data": data}


def challenged(broker: Broker, scram: Scram) -> tuple[Client, Packet]:
    """A client that has sent its CONNECT, and the AUTH that came."""
    client = broker.open()
    client.send_connect(props=given(scram.first()))
    came = client.read()
    if came.kind == Kind.CONNACK and came.reason_code == 0x8C:
        pytest.skip("this server has no SCRAM-SHA-256")
    assert (came.kind, came.reason_code) == (Kind.AUTH, CONTINUE)
    assert came.properties["authentication_method"] == METHOD
    return client, came


def signed_in(broker: Broker) -> Client:
    scram = Scram()
    client, came = challenged(broker, scram)
    client.write(auth(CONTINUE, given(scram.final(came.properties["authentication_data"]))))
    came = client.read()
    assert (came.kind, came.reason_code) == (Kind.CONNACK, SUCCESS)
    assert came.properties["authentication_method"] == METHOD
    scram.check(came.properties["authentication_data"])
    return client


def refused(client: Client) -> None:
    """It is told so in a CONNACK, and nothing it sent after it counts."""
    came = client.read()
    assert came.kind == Kind.CONNACK
    assert came.reason_code in REFUSALS
    client.expect_closed()


def test_a_client_that_knows_its_password_comes_in(broker: Broker) -> None:
    """[MQTT-4.12.0-2] [MQTT-4.12.0-3] [MQTT-4.12.0-5] [MQTT-3.15.2-1] [MQTT-3.1.4-5]."""
    client = signed_in(broker)
    client.subscribe(broker.topic)
    client.publish(broker.topic, b"x")
    assert client.take().payload == b"x"


@pytest.mark.parametrize("who", [(USER, "wrong"), ("nobody-of-that-name", PASSWORD)])
def test_a_wrong_password_and_a_wrong_name_are_refused_alike(
    broker: Broker, who: tuple[str, str]
) -> None:
    """[MQTT-4.12.0-4]."""
    scram = Scram(*who)
    client, came = challenged(broker, scram)
    client.write(auth(CONTINUE, given(scram.final(came.properties["authentication_data"]))))
    refused(client)


@pytest.mark.parametrize("data", [b"", b"\xff\xfe", b"c=biws", b"x" * 3000])
def test_data_that_is_no_answer_is_refused(broker: Broker, data: bytes) -> None:
    """[MQTT-4.12.0-4]."""
    client, _ = challenged(broker, Scram())
    client.write(auth(CONTINUE, given(data)))
    refused(client)


@pytest.mark.parametrize(
    ("reason_code", "method"), [(AGAIN, METHOD), (SUCCESS, METHOD), (CONTINUE, "SCRAM-SHA-1")]
)
def test_another_reason_code_or_method_half_way_is_refused(
    broker: Broker, reason_code: int, method: str
) -> None:
    """[MQTT-4.12.0-3] [MQTT-4.12.0-5]."""
    scram = Scram()
    client, came = challenged(broker, scram)
    final = scram.final(came.properties["authentication_data"])
    client.write(auth(reason_code, given(final, method)))
    try:
        came = client.read()
    except Closed:
        return
    assert came.kind == Kind.CONNACK
    assert came.reason_code >= 0x80
    client.expect_closed()


def test_nothing_but_auth_is_taken_half_way(broker: Broker) -> None:
    """[MQTT-3.1.2-30] [MQTT-3.14.0-1]."""
    client, _ = challenged(broker, Scram())
    client.write(PINGREQ)
    try:
        came = client.read()
    except Closed:
        return
    assert came.kind == Kind.CONNACK
    assert came.reason_code >= 0x80
    client.expect_closed()


def test_a_client_may_authenticate_again(broker: Broker) -> None:
    """[MQTT-4.12.1-1]: the session goes on meanwhile and afterwards."""
    client = signed_in(broker)
    client.subscribe(broker.topic)
    for _ in range(2):
        scram = Scram()
        client.write(auth(AGAIN, given(scram.first())))
        came = client.wait_for(Kind.AUTH)
        assert came.reason_code == CONTINUE
        assert came.properties["authentication_method"] == METHOD
        client.publish(broker.topic, b"meanwhile")
        assert client.take().payload == b"meanwhile"
        client.write(auth(CONTINUE, given(scram.final(came.properties["authentication_data"]))))
        came = client.wait_for(Kind.AUTH)
        assert came.reason_code == SUCCESS
        assert came.properties["authentication_method"] == METHOD
        scram.check(came.properties["authentication_data"])
    client.expect_nothing()


def test_a_failed_second_authentication_ends_the_connection(broker: Broker) -> None:
    """[MQTT-4.12.1-2]."""
    client, scram = signed_in(broker), Scram(USER, "wrong")
    client.write(auth(AGAIN, given(scram.first())))
    came = client.wait_for(Kind.AUTH)
    client.write(auth(CONTINUE, given(scram.final(came.properties["authentication_data"]))))
    client.expect_closed(*REFUSALS)


def test_another_method_the_second_time_is_refused(broker: Broker) -> None:
    """[MQTT-4.12.1-1]."""
    client = signed_in(broker)
    client.write(auth(AGAIN, given(Scram().first(), "SCRAM-SHA-1")))
    client.expect_closed(0x82, *REFUSALS)


def test_continue_without_having_begun_again_is_refused(broker: Broker) -> None:
    """MQTT 5, 4.12.1: a Protocol Error."""
    client = signed_in(broker)
    client.write(auth(CONTINUE, given(b"x")))
    client.expect_closed(0x82, *REFUSALS)
