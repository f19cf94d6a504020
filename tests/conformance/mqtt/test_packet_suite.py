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
DEPARTURES: dict[tuple[str, str, str], str] = {}

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
