"""Bodies are read whole, within a limit, however they come."""

import gzip
from collections.abc import Iterable
from typing import Any

import pytest

from thingtank.doors.xively.requests import (
    UnsupportedEncoding,
    plain_body,
    read_body,
)
from thingtank.net.asgi_answers import PeerLeft
from thingtank.protocols.xively.errors import BodyTooLarge, MalformedBody

BYTES_MAX = 100
TEXT_GZIPPED = gzip.compress(b"text")


def receiver(pieces: Iterable[bytes], is_cut: bool = False) -> Any:
    """An ASGI `receive` that gives the pieces, and then nothing more or a disconnect."""
    pieces = list(pieces)
    messages = [
        {"type": "http.request", "body": piece, "more_body": is_cut or number < len(pieces)}
        for number, piece in enumerate(pieces, 1)
    ]
    waiting = iter([*messages, {"type": "http.disconnect"}])

    async def receive() -> Any:
        return next(waiting)

    return receive


@pytest.mark.parametrize("pieces", [[b""], [b"whole"], [b"in ", b"", b"pieces"]])
async def test_a_body_is_its_pieces_together(pieces: list[bytes]) -> None:
    assert await read_body(receiver(pieces), {}, BYTES_MAX) == b"".join(pieces)


async def test_a_body_that_says_it_is_too_large_is_not_read() -> None:
    headers = {b"content-length": b"101"}
    with pytest.raises(BodyTooLarge, match="101 bytes; 100 are allowed"):
        await read_body(receiver([]), headers, BYTES_MAX)


@pytest.mark.parametrize("length", [b"1", b"-5", b"many", b""])
async def test_a_body_that_grows_too_large_is_refused_whatever_it_said(length: bytes) -> None:
    headers = {b"content-length": length}
    with pytest.raises(BodyTooLarge):
        await read_body(receiver([b"x" * 60, b"x" * 60]), headers, BYTES_MAX)


@pytest.mark.parametrize("pieces", [[], [b"half"]])
async def test_a_peer_that_leaves_is_not_answered(pieces: list[bytes]) -> None:
    with pytest.raises(PeerLeft):
        await read_body(receiver(pieces, is_cut=True), {}, BYTES_MAX)


def plain(body: bytes, encoding: bytes) -> bytes:
    headers = {b"content-encoding": encoding} if encoding else {}
    return plain_body(body, headers, BYTES_MAX)


@pytest.mark.parametrize("name", [b"gzip", b"GZIP", b" x-gzip "])
def test_gzip_is_unpacked(name: bytes) -> None:
    assert plain(gzip.compress(b"text"), name) == b"text"


def test_gzip_may_come_in_members() -> None:
    assert (
        plain(gzip.compress(b"te") + gzip.compress(b"") + gzip.compress(b"xt"), b"gzip") == b"text"
    )
    with pytest.raises(BodyTooLarge, match="decompresses"):
        plain(gzip.compress(b" " * BYTES_MAX) + gzip.compress(b" "), b"gzip")
    with pytest.raises(MalformedBody, match="16 gzip members"):
        plain_body(gzip.compress(b"") * 17, {b"content-encoding": b"gzip"}, 10 * BYTES_MAX)


@pytest.mark.parametrize("name", [b"", b"identity"])
def test_identity_is_no_encoding(name: bytes) -> None:
    assert plain(b"text", name) == b"text"


def test_a_whole_body_that_is_too_large_is_refused() -> None:
    with pytest.raises(BodyTooLarge, match="101 bytes; 100 are allowed"):
        plain(b"x" * 101, b"")


def test_what_unpacks_to_too_much_is_refused() -> None:
    packed = gzip.compress(b" " * 5_000)
    assert len(packed) < BYTES_MAX
    with pytest.raises(BodyTooLarge, match="decompresses"):
        plain(packed, b"gzip")


@pytest.mark.parametrize(
    "body",
    [b"", b"nonsense", TEXT_GZIPPED[:-4], TEXT_GZIPPED + b"junk"],
    ids=["empty", "no gzip", "cut", "more behind it"],
)
def test_broken_gzip_is_refused(body: bytes) -> None:
    with pytest.raises(MalformedBody):
        plain(body, b"gzip")


@pytest.mark.parametrize("name", [b"br", b"deflate", b"gzip, gzip"])
def test_other_encodings_are_refused(name: bytes) -> None:
    with pytest.raises(UnsupportedEncoding) as refusal:
        plain(b"x", name)
    assert refusal.value.status == 415
