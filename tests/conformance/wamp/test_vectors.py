"""The specification's own test vectors, both ways, in the serializers that are spoken here.

`vectors.json` holds their octets (in hexadecimal; several where several are right), what they say,
and options that are right or to be refused by name.

Source: wamp-proto/wamp-proto, testsuite/singlemessage, in June 2026.
"""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from thingtank.protocols.wamp.errors import ProtocolViolation
from thingtank.protocols.wamp.messages import Message, code_of
from thingtank.protocols.wamp.payloads import Payload
from thingtank.protocols.wamp.serializers import SERIALIZERS

FIELDS = {
    "subscription": "subscription_id",
    "publication": "publication_id",
    "method": "authmethod",
}
Sample = dict[str, Any]


VECTORS: list[Sample] = json.loads((Path(__file__).parent / "vectors.json").read_text())


def samples(kind: str) -> Iterator[tuple[str, Sample]]:
    """All samples that have a member of this name, with what to call them."""
    return ((sample["name"], sample) for sample in VECTORS if kind in sample)


def check_each(kind: str, check: Callable[[Sample], None]) -> None:
    """Check all samples, and say all that do not hold."""
    wrong = []
    names = [name for name, _ in samples(kind)]
    for name, sample in samples(kind):
        try:
            check(sample)
        except (AssertionError, ProtocolViolation) as error:
            wrong.append(f"{name}: {error}")
    assert names
    assert wrong == []


def octets_of(sample: Sample, serializer_name: str) -> list[bytes]:
    return [bytes.fromhex(each) for each in sample["octets"][serializer_name]]


def check_attributes(message: Message, expected: dict[str, Any]) -> None:
    found: dict[str, Any] = {"message_type": code_of(type(message))}
    for name in message.__struct_fields__:
        value = getattr(message, name)
        if isinstance(value, Payload):
            found |= payload_attributes(value)
        elif value is not msgspec.UNSET:
            found[name] = msgspec.to_builtins(value)
    if "roles" in expected:
        found["roles"] = found["details"]["roles"]
    for name, value in expected.items():
        assert found[FIELDS.get(name, name)] == value, name


def payload_attributes(payload: Payload) -> dict[str, Any]:
    return {
        "args": payload.args or None,
        "kwargs": payload.kwargs or None,
        "payload": payload.elements[0].hex() if payload.is_opaque else None,
    }


@pytest.mark.parametrize("serializer_name", SERIALIZERS)
def test_each_vector_is_read_as_it_says(serializer_name: str) -> None:
    def check(sample: Sample) -> None:
        for octets in octets_of(sample, serializer_name):
            message = SERIALIZERS[serializer_name].decode(octets)
            check_attributes(message, sample["attributes"])

    check_each("octets", check)


@pytest.mark.parametrize("source_name", SERIALIZERS)
@pytest.mark.parametrize("serializer_name", SERIALIZERS)
def test_each_vector_is_written_as_it_says(serializer_name: str, source_name: str) -> None:
    """From its octets in each serializer: so their payloads are converted as well."""

    def check(sample: Sample) -> None:
        message = SERIALIZERS[source_name].decode(octets_of(sample, source_name)[0])
        written = SERIALIZERS[serializer_name].encode(message)
        assert written in octets_of(sample, serializer_name) or is_reordered(
            written, sample, serializer_name
        ), written

    check_each("octets", check)


def is_reordered(written: bytes, sample: Sample, serializer_name: str) -> bool:
    """Whether it differs in the order of options only, which means nothing."""
    known = octets_of(sample, serializer_name)[-1]
    serializer = SERIALIZERS[serializer_name]
    return len(written) == len(known) and serializer.decode(written) == serializer.decode(known)


@pytest.mark.parametrize("serializer_name", SERIALIZERS)
def test_each_invalid_option_is_refused_by_name_and_each_valid_one_taken(
    serializer_name: str,
) -> None:
    serializer = SERIALIZERS[serializer_name]

    def check(sample: Sample) -> None:
        code, *_ = message = sample["message"]
        if "refusal" not in sample:
            assert code_of(type(serializer.decode(octets(message)))) == code
            return
        with pytest.raises(ProtocolViolation) as refusal:
            serializer.decode(octets(message))
        assert sample["refusal"] in str(refusal.value)

    def octets(message: list[Any]) -> bytes:
        return serializer.serialize_elements([message])

    check_each("message", check)


def test_the_vectors_are_all_that_are_known() -> None:
    assert len(dict(samples("octets"))) == 35
    assert len(dict(samples("message"))) == 67
