"""The packet exchanges of Mosquitto's own test suite, which the project does not contain.

They are read from `../shared/conformance/mqtt-packets` beside the checkout, or from where
THINGTANK_CONFORMANCE_DATA says; without either, tests of them are skipped, but not in CI.

Source: eclipse-mosquitto/mosquitto, test/broker/data.
"""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

CHECKOUT = Path(__file__).parents[4]
WIDTHS = {"i": 1, "H": 2, "k": 2, "m": 2, "s": 2, "L": 4}


class Case(NamedTuple):
    """One exchange.

    Attributes:
        is_connected: whether a plain CONNECT comes before what is sent.
        is_dropped: whether the server closes the connection at the end.
        received: what the server has to send, packet by packet.
    """

    name: str
    version: int
    is_connected: bool
    is_dropped: bool
    sent: bytes
    received: list[bytes]


def data_folder() -> Path:
    """Where the data is; skips the test where it is not, and fails it in CI."""
    found = Path(
        os.environ.get("THINGTANK_CONFORMANCE_DATA", CHECKOUT.parent / "shared/conformance")
    )
    folder = found / "mqtt-packets"
    if not folder.is_dir():
        reason = f"no conformance data at {folder}"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    return folder


def cases() -> Iterator[Case]:
    """All of them, in the order of the files."""
    for file in sorted(data_folder().glob("*.json")):
        for group in json.loads(file.read_text()):
            if not group.get("disable"):
                yield from (case_of(file.stem, group, test) for test in group["tests"])


def case_of(file_name: str, group: dict[str, Any], test: dict[str, Any]) -> Case:
    both = group | test
    octets = {"send": [], "recv": [], "external_publish": []}
    for message in test["msgs"]:
        octets[message["type"]].append(message["payload"])
    return Case(
        name=" ".join(f"{file_name}: {group['group']} {test['name']}".split()),
        version=both.get("ver", 4),
        is_connected=both.get("connect", True),
        is_dropped=both.get("expect_disconnect", True),
        sent=b"".join(map(octets_of, octets["send"])),
        received=list(map(octets_of, octets["recv"])),
    )


def octets_of(notation: str) -> bytes:
    """Read the suite's notation: hexadecimal octets, `'text'`, and numbers after a letter."""
    octets = b""
    # No text of the suite has a space in it, or an apostrophe.
    for word in notation.split():
        kind, rest = word[0], word[1:]
        if kind == "'":
            assert rest.endswith("'"), notation
            octets += rest[:-1].encode()
        elif kind in "vr":
            octets += variable(int(rest))
        elif kind in WIDTHS:
            octets += int(rest).to_bytes(WIDTHS[kind], "big")
        else:
            octets += bytes.fromhex(word)
    return octets


def variable(value: int) -> bytes:
    """As many octets as it needs, four or five: the suite has lengths that are too large."""
    octets = b""
    while value > 0x7F:
        octets += bytes((value & 0x7F | 0x80,))
        value >>= 7
    return octets + bytes((value,))
