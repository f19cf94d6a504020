"""The packet exchanges of `mqtt-packets`: how they are read, and how one is held.

The data are Mosquitto's, from `test/broker/data`; they are beside the project, not in it. Octets are
written as words: hexadecimal digits, `'text'`, and numbers with a letter in front.

| letter | number |
| --- | --- |
| i | of one octet |
| H k m s | of two octets |
| L | of four octets |
| r v | a Variable Byte Integer |
"""

import json
import re
from dataclasses import dataclass
from functools import cache
from typing import Any

from tests.conformance.mqtt import octets
from tests.conformance.mqtt.data import data_folder
from tests.conformance.mqtt.octets import Kind, Version
from tests.conformance.mqtt.wire import Broker, Client, Closed

WORD = re.compile(r"'(?P<text>[^']*)'|(?P<word>\S+)")
ANSWER_S_MAX = 2.0


@dataclass(frozen=True)
class Case:
    """One exchange.

    Attributes:
        file, group, name: where it is written; together they are not always unique.
        version: the protocol level.
        connects: whether a CONNECT of the suite's own comes first.
        is_closed: whether the broker must close at the end; else it must answer a PINGREQ.
        steps: what is sent and what must come.
    """

    file: str
    group: str
    name: str
    version: Version
    connects: bool
    is_closed: bool
    steps: tuple[dict[str, Any], ...]

    def __str__(self) -> str:
        return f"{self.group.strip()} / {self.name.strip()}"


@cache
def cases() -> tuple[Case, ...]:
    """All of them, in the order of the files; none if the data are not there."""
    found = []
    for path in sorted((data_folder() / "mqtt-packets").glob("*.json")):
        for group in json.loads(path.read_bytes()):
            for case in group["tests"]:
                both = {**group, **case}
                found.append(
                    Case(
                        path.name,
                        group["group"],
                        case["name"],
                        both.get("ver", 4),
                        both.get("connect", True),
                        both.get("expect_disconnect", True),
                        tuple(case["msgs"]),
                    )
                )
    return tuple(found)


def parse_octets(words: str) -> bytes:
    """Octets from their words."""
    return b"".join(_parse_word(match) for match in WORD.finditer(words))


def _parse_word(match: re.Match[str]) -> bytes:
    if match["text"] is not None:
        return match["text"].encode()
    letter, number = match["word"][0], match["word"][1:]
    if letter in "rv":
        return octets.varint(int(number))
    for letters, size in (("i", 1), ("Hkms", 2), ("L", 4)):
        if letter in letters:
            return int(number).to_bytes(size, "big")
    return bytes.fromhex(match["word"])


def hold(broker: Broker, case: Case) -> str:
    """Have the exchange; what was wrong, or nothing."""
    client = broker.open(case.version, f"{case.group} {case.name}")
    try:
        if case.connects:
            client.connect(keep_alive_s=60)
        for step in case.steps:
            if wrong := _take_step(broker, client, step):
                return wrong
        return _end(client, case)
    except Closed:
        return "closed too early"
    except TimeoutError:
        return "no answer"
    except (AssertionError, ValueError) as error:
        return str(error).partition("\n")[0] or "wrong"
    finally:
        client.close()


def _take_step(broker: Broker, client: Client, step: dict[str, Any]) -> str:
    if step["type"] == "send":
        client.write(parse_octets(step["payload"]))
        return ""
    if step["type"] == "recv":
        expected, came = parse_octets(step["payload"]), client.read_raw(ANSWER_S_MAX)
        return "" if came == expected else f"got {came.hex(' ')}, not {expected.hex(' ')}"
    assert step["type"] == "external_publish", step
    helper = broker.connect(4)
    retain = bool(step.get("retain"))
    helper.publish(step["topic"], step["payload"].encode(), step["qos"], retain=retain)
    helper.close()
    return ""


def _end(client: Client, case: Case) -> str:
    if case.is_closed:
        try:
            return f"got {client.read_raw(ANSWER_S_MAX).hex(' ')}, not the end"
        except TimeoutError:
            return "still connected"
        except Closed:
            return ""
    client.write(octets.PINGREQ)
    came = client.read_raw(ANSWER_S_MAX)
    return "" if came[0] >> 4 == Kind.PINGRESP else f"got {came.hex(' ')}, not a PINGRESP"
