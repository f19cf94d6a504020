"""Sessions that outlive their connections, the same way in each version."""

from typing import Any

import pytest
from tests.conformance.mqtt.octets import Version
from tests.conformance.mqtt.wire import VERSIONS, Broker, Client, unique

EXPIRY_S = 300  # longer than any test takes
WITH_PRESENT = (4, 5)  # MQTT 3.1 does not say whether there was a session

each_version = pytest.mark.parametrize("version", VERSIONS)


def keeping(version: Version, expiry_s: int = EXPIRY_S, **props: Any) -> dict[str, Any]:
    """Fields of a CONNECT that resumes a session and keeps it afterwards."""
    if version < 5:
        return {"clean": False}
    return {"clean": False, "props": {"session_expiry_interval": expiry_s, **props}}


def resume(broker: Broker, version: Version, client_id: str, **props: Any) -> Client:
    """A client that takes its session up, which must be there, and keeps it."""
    client = broker.connect(version, client_id, **keeping(version, **props))
    assert client.connack is not None
    assert client.connack.session_present is (version in WITH_PRESENT)
    return client


def begin(broker: Broker, version: Version, client_id: str | None = None, **props: Any) -> Client:
    """A client whose session is new, and is kept."""
    client = broker.connect(version, client_id, **keeping(version, **props))
    assert client.connack is not None
    assert not client.connack.session_present
    return client


def lose(client: Client, other: Client) -> None:
    """Be gone without a DISCONNECT, and see to it that the broker knows before what comes now."""
    client.lose()
    for _ in range(2):  # the first may be answered in the turn in which the end is read
        other.settle()


def settle_kept(client: Client) -> None:
    """As `settle`, where what a broker says may wait until it is on disk, and PINGRESP does not.

    A message of the client's own waits as well, and after what came before it.
    """
    client.publish(unique("settle"), qos=2, packet_id=64_999)
    client.settle()
