"""All packet exchanges of Mosquitto's own suite, held with the broker under test."""

from collections import Counter
from collections.abc import Callable

import pytest
from tests.conformance.mqtt.counting import COUNTED
from tests.conformance.mqtt.data import needed_data
from tests.conformance.mqtt.packet_suite import cases, hold, parse_octets
from tests.conformance.mqtt.wire import Broker

COUNTS = {3: 9, 4: 305, 5: 1512}
NAMES = {3: "MQTT 3.1", 4: "MQTT 3.1.1", 5: "MQTT 5.0"}

# (file, group, name) of what we answer otherwise: the clause that allows it.
# Mosquitto lets any user name and password in where it has none of its own.
CHECKED_311 = "3.1.1, 3.1.4: the Server MAY check; a user name that nobody has is refused"
CHECKED = "5, 3.1.4-2: the Server may check; a user name that nobody has is refused"
DEPARTURES: dict[tuple[str, str, str], str] = {
    ("CONNECT.json", "v3.1.1 CONNECT", "10 Username flag 1 Password flag 1 ok"): CHECKED_311,
    ("CONNECT.json", "v3.1.1 CONNECT", "10 Password with 0x0000"): CHECKED_311,
    ("CONNECT.json", "v5.0   CONNECT", "10 Username flag 1 ok"): CHECKED,
    ("PUBLISH.json", "v5.0   PUBLISH", "PUBLISH with $ topic - connection/state"): (
        "5, 4.7.2: topics that begin with $ are the Server's, for what it likes"
    ),
}

GROUPS = list(dict.fromkeys((case.file, case.group) for case in cases()))


def test_all_exchanges_are_there() -> None:
    needed_data()
    assert Counter(case.version for case in cases()) == COUNTS


def test_departures_are_of_exchanges_that_exist() -> None:
    needed_data()
    assert set(DEPARTURES) <= {(case.file, case.group, case.name) for case in cases()}
    assert all(DEPARTURES.values()), "a departure needs the clause that allows it"


@pytest.mark.parametrize(
    ("words", "octets"),
    [
        ("20 r3 00 82 00", b"\x20\x03\x00\x82\x00"),
        ("82 r6 m1234 s1 'p' 01", b"\x82\x06\x04\xd2\x00\x01p\x01"),
        ("00000B H10 L2000000 v200 i7", b"\0\0\x0b\0\x0a\x00\x1e\x84\x80\xc8\x01\x07"),
        ("'a  b' 01", b"a  b\x01"),
    ],
)
def test_words_are_octets(words: str, octets: bytes) -> None:
    assert parse_octets(words) == octets


@pytest.mark.parametrize(
    ("file", "group"), GROUPS, ids=[f"{file[:-5]}-{group.strip()}" for file, group in GROUPS]
)
def test_exchanges_go_as_written(
    file: str, group: str, broker: Broker, record_property: Callable[[str, object], None]
) -> None:
    wrong, counts = [], Counter[str]()
    for case in cases():
        if (case.file, case.group) != (file, group):
            continue
        fault = hold(broker, case)
        broker.close()
        counts[f"{NAMES[case.version]}, {'otherwise' if fault else 'as written'}"] += 1
        departs = (case.file, case.group, case.name) in DEPARTURES
        if bool(fault) != departs:
            wrong.append(f"{case}: {fault or 'as written, though it is listed as a departure'}")
    record_property(COUNTED, dict(counts))
    assert not wrong, "\n".join(["", *wrong])
