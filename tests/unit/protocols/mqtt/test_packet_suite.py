"""What the parser alone decides of Mosquitto's packet suite, case by case."""

from collections.abc import Iterator

from tests.unit.protocols.mqtt.packet_suite import Case, cases

from thingtank.protocols.mqtt.client_parser import parse_from_server
from thingtank.protocols.mqtt.errors import MqttError
from thingtank.protocols.mqtt.packets import Connack, Disconnect
from thingtank.protocols.mqtt.parser import check_first_octet, parse, parse_connect, read_length
from thingtank.protocols.mqtt.reason_codes import connack_return_code
from thingtank.protocols.mqtt.serializer import serialize

# Ended by what the connection knows of its client: what is on its way, and the limits in force.
DECIDED_BY_STATE = {
    "CONNECT: v5.0 CONNECT tiny max packet",
    "CONNECT: v5.0 CONNECT EXTENDED AUTH unsupported authentication method",
    "DISCONNECT: v5.0 DISCONNECT E0 non-zero session expiry",
    "FLOW: v3.1.1 FLOW QoS 1 PUBLISH-PUBREC",
    "FLOW: v3.1.1 FLOW QoS 1 PUBLISH-PUBCOMP",
    "FLOW: v3.1.1 FLOW QoS 2 PUBLISH-PUBACK",
    "FLOW: v3.1.1 FLOW QoS 2 PUBLISH-PUBCOMP",
    "FLOW: v3.1.1 FLOW QoS 2 PUBLISH-PUBREC-PUBREL-PUBACK",
    "FLOW: v5.0 FLOW QoS 1 PUBLISH-PUBREC",
    "FLOW: v5.0 FLOW QoS 1 PUBLISH-PUBCOMP",
    "FLOW: v5.0 FLOW QoS 2 PUBLISH-PUBACK",
    "FLOW: v5.0 FLOW QoS 2 PUBLISH-PUBCOMP",
    "FLOW: v5.0 FLOW QoS 2 PUBLISH-PUBREC-PUBREL-PUBACK",
    "PUBLISH: v3.1.1 PUBLISH 34 QoS 2 Dup flow*3",
    "PUBLISH: v5.0 PUBLISH 34 QoS 2 Dup flow*3",
    "PUBLISH: v5.0 PUBLISH ALLOWED PROPERTIES topic alias > max topic alias",
    "PUBLISH: v5.0 PUBLISH ALLOWED PROPERTIES topic-alias (two byte integer) no topic",
}
GOODBYE = "DISCONNECT came in"
STARVED = "waiting for more"


class Reading:
    """Reads one case's octets as a connection would."""

    def __init__(self, case: Case) -> None:
        self.octets = case.sent
        self.version = case.version if case.is_connected else None
        self.at = 0

    def outcome(self) -> MqttError | str | None:
        """Why the connection ends, or None where it goes on."""
        try:
            while self.at < len(self.octets):
                if end := self.read_packet():
                    return end
        except MqttError as error:
            return error
        return None

    def read_packet(self) -> str | None:
        first_octet = self.octets[self.at]
        check_first_octet(first_octet, self.version)
        found = read_length(self.octets, self.at + 1)
        if found is None or sum(found) > len(self.octets):
            return STARVED
        length, begin = found
        self.at = begin + length
        body = self.octets[begin : self.at]
        if self.version is None:
            self.version = parse_connect(first_octet & 0x0F, body).protocol_version
            return None
        packet = parse(first_octet, body, self.version)
        return GOODBYE if isinstance(packet, Disconnect) else None

    def farewell(self, error: MqttError) -> bytes:
        """What is sent before the connection is closed."""
        if not error.is_told:
            return b""
        if self.version is None:
            if error.version == 5:
                return bytes((0x20, 3, 0, error.reason_code, 0))
            return bytes((0x20, 2, 0, connack_return_code(error.reason_code)))
        return bytes((0xE0, 1, error.reason_code)) if self.version == 5 else b""


def expected_farewell(case: Case) -> bytes:
    last = case.received[-1] if case.received else b""
    is_refusal = last[:1] == b"\x20" and last[3] != 0
    return last if is_refusal or last[:1] == b"\xe0" else b""


def complaint(case: Case) -> str | None:
    reading = Reading(case)
    outcome = reading.outcome()
    if isinstance(outcome, MqttError):
        said, wanted = reading.farewell(outcome), expected_farewell(case)
        if not case.is_dropped or said != wanted:
            return f"{case.name}: {outcome}: {said.hex()} for {wanted.hex()}"
    elif case.name in DECIDED_BY_STATE:
        return None
    elif case.is_dropped and (outcome != GOODBYE or expected_farewell(case)):
        return f"{case.name}: {outcome or 'goes on'}"
    elif outcome == STARVED:
        return f"{case.name}: {outcome}"
    return None


def test_each_exchange_goes_on_or_ends_with_the_right_reason() -> None:
    wrong = [text for case in cases() if (text := complaint(case))]
    assert wrong == []


def test_all_exchanges_but_those_decided_by_state_are_checked() -> None:
    names = [case.name for case in cases()]
    assert len(names) == 1826
    assert set(names) >= DECIDED_BY_STATE


def received() -> Iterator[tuple[str, int, bytes]]:
    """What servers send in the suite; one refuses a version that it does not know in MQTT 5."""
    for case in cases():
        for octets in case.received:
            yield case.name, 5 if octets[:2] == b"\x20\x03" else case.version, octets


def test_what_a_server_sends_is_read_and_written_to_the_octet() -> None:
    wrong = []
    for name, version, octets in received():
        found = read_length(octets, 1)
        assert found
        try:
            packet = parse_from_server(octets[0], octets[found[1] :], version)
        except MqttError as error:
            wrong.append(f"{name}: {octets.hex()}: {error}")
            continue
        if serialize(packet, version) != octets:
            wrong.append(f"{name}: {octets.hex()}: {packet}")
    assert wrong == []


def test_limits_announced_in_connack_are_written_in_the_order_of_the_suite() -> None:
    announced = [octets for _, _, octets in received() if octets[:2] == b"\x20\x0e"]
    assert announced
    packet = parse_from_server(0x20, announced[0][2:], 5)
    assert isinstance(packet, Connack)
    assert serialize(packet, 5) == announced[0]
