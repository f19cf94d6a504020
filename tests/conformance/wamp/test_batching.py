"""Batched subprotocols.

Source: WAMP, WebSocket Transport, Batched Mode.
"""

import pytest

from thingtank.protocols.wamp.batching import (
    BATCH_MESSAGES_MAX,
    PrefixedBatching,
    SeparatedBatching,
)
from thingtank.protocols.wamp.errors import ProtocolViolation


@pytest.mark.parametrize("separator", [b"\x18", b"\x1e"])
def test_json_is_answered_with_the_separator_that_the_client_used(separator: bytes) -> None:
    """The text says 0x1E, the code of Autobahn writes 0x18."""
    batching = SeparatedBatching()
    assert batching.split(b"[1]" + separator) == [b"[1]"]
    assert batching.split(b"[1]" + separator + b"[2]" + separator) == [b"[1]", b"[2]"]
    assert batching.join([b"[3]", b"[4]"]) == b"[3]" + separator + b"[4]" + separator


def test_json_goes_out_as_autobahn_does_before_anything_came_in() -> None:
    assert SeparatedBatching().join([b"[3]"]) == b"[3]\x18"


@pytest.mark.parametrize(
    "batch",
    [b"", b"\x18", b"[1]", b"[1]\x18[2]", b"[1]\x18\x18", b"\x18[1]\x18", b"[1]\x18 ", b"[1]\x1d"],
)
def test_json_batch_of_nothing_or_without_its_end_is_a_violation(batch: bytes) -> None:
    with pytest.raises(ProtocolViolation):
        SeparatedBatching().split(batch)


def test_other_messages_have_their_length_in_front() -> None:
    batching = PrefixedBatching()
    assert batching.join([b"a", b"bc" * 200]) == b"\0\0\0\x01a\0\0\x01\x90" + b"bc" * 200
    assert batching.split(batching.join([b"a", b"bc" * 200])) == [b"a", b"bc" * 200]


@pytest.mark.parametrize(
    "batch",
    [
        *(
            b"",
            b"\0",
            b"\0\0\0\x01",
            b"\0\0\0\x02a",
            b"\0\0\0\0",
            b"\0\0\0\x01a\0",
            b"\xff\xff\xff\xffa",
        ),
        *(b"\0\0\0\x01a\0\0\0\0", b"\0\0\0\x01ab"),
    ],
)
def test_batch_of_nothing_or_with_wrong_lengths_is_a_violation(batch: bytes) -> None:
    with pytest.raises(ProtocolViolation):
        PrefixedBatching().split(batch)


def test_messages_of_a_batch_are_bounded() -> None:
    for batching, message in (
        (SeparatedBatching(), b"1\x18"),
        (PrefixedBatching(), b"\0\0\0\x011"),
    ):
        assert len(batching.split(message * BATCH_MESSAGES_MAX)) == BATCH_MESSAGES_MAX
        with pytest.raises(ProtocolViolation, match=str(BATCH_MESSAGES_MAX)):
            batching.split(message * (BATCH_MESSAGES_MAX + 1))
