"""The data types of packets (MQTT 5, 1.5) and the remaining length (2.1.4)."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from thingtank.protocols.mqtt.errors import LocalProtocolError, MalformedPacket
from thingtank.protocols.mqtt.octets import (
    VARIABLE_MAX,
    read_binary,
    read_four_byte_integer,
    read_name,
    read_pair,
    read_text,
    read_two_byte_integer,
    read_variable,
    serialize_binary,
    serialize_text,
    serialize_variable,
)
from thingtank.protocols.mqtt.parser import read_length

# Table 1-1 of 1.5.5.
VARIABLES = [
    (0, "00"),
    (127, "7F"),
    (128, "8001"),
    (16_383, "FF7F"),
    (16_384, "808001"),
    (2_097_151, "FFFF7F"),
    (2_097_152, "80808001"),
    (268_435_455, "FFFFFF7F"),
]


@pytest.mark.parametrize(("value", "octets"), VARIABLES)
def test_variable_byte_integer_has_the_octets_of_the_table(value: int, octets: str) -> None:
    found = bytes.fromhex(octets)
    assert serialize_variable(value) == found
    assert read_variable(b"." + found + b".", 1, len(found) + 2) == (value, len(found) + 1)
    assert read_length(b"." + found + b".", 1) == (value, len(found) + 1)


@settings(deadline=None)
@given(st.integers(0, VARIABLE_MAX))
def test_variable_byte_integer_comes_back_the_same(value: int) -> None:
    octets = serialize_variable(value)
    assert read_variable(octets, 0, len(octets)) == (value, len(octets))
    assert read_length(octets, 0) == (value, len(octets))


@pytest.mark.parametrize("octets", ["", "80", "FFFFFF", "80808080", "8080808001", "8000", "808000"])
def test_variable_byte_integer_is_malformed(octets: str) -> None:
    with pytest.raises(MalformedPacket):
        read_variable(bytes.fromhex(octets), 0, len(octets) // 2)


def test_variable_byte_integer_does_not_run_past_its_end() -> None:
    with pytest.raises(MalformedPacket):
        read_variable(b"\x80\x01", 0, 1)


def test_variable_byte_integer_too_large_is_not_written() -> None:
    with pytest.raises(LocalProtocolError):
        serialize_variable(VARIABLE_MAX + 1)


@pytest.mark.parametrize("octets", ["", "80", "FFFF", "808080"])
def test_remaining_length_waits_for_its_last_octet(octets: str) -> None:
    assert read_length(bytes.fromhex(octets), 0) is None
    assert read_length(bytearray.fromhex(octets), 0) is None


@pytest.mark.parametrize("octets", ["80808080", "FFFFFFFF01"])
def test_remaining_length_of_more_than_four_octets_is_malformed_as_soon_as_it_is_known(
    octets: str,
) -> None:
    with pytest.raises(MalformedPacket):
        read_length(bytes.fromhex(octets), 0)


def test_remaining_length_may_be_longer_than_it_needs_to_be() -> None:
    assert read_length(b"\x82\x80\x80\x00", 0) == (2, 4)


@pytest.mark.parametrize(
    ("clause", "octets"),
    [
        ("1.5.4-1 surrogate U+D800", b"\xed\xa0\x80"),
        ("1.5.4-1 surrogate U+DFFF", b"\xed\xbf\xbf"),
        ("1.5.4-1 overlong /", b"\xc0\xaf"),
        ("1.5.4-1 above U+10FFFF", b"\xf4\x90\x80\x80"),
        ("1.5.4-1 cut off", b"\xe2\x82"),
        ("1.5.4-1 no lead", b"\x80"),
        ("1.5.4-2 U+0000", b"a\0b"),
    ],
)
def test_string_is_malformed(clause: str, octets: bytes) -> None:
    data = serialize_binary(octets)
    with pytest.raises(MalformedPacket):
        read_text(data, 0, len(data))


def test_byte_order_mark_is_kept() -> None:
    """MQTT 5, 1.5.4-3."""
    assert read_text(b"\0\3\xef\xbb\xbf", 0, 5) == ("\ufeff", 5)


def test_free_text_may_have_line_breaks_and_names_may_not() -> None:
    data = serialize_text("two\nlines")
    assert read_text(data, 0, len(data)) == ("two\nlines", len(data))
    with pytest.raises(MalformedPacket):
        read_name(data, 0, len(data))


@pytest.mark.parametrize(
    ("read", "octets"),
    [
        (read_two_byte_integer, b"\1\2"),
        (read_four_byte_integer, b"\1\2\3\4"),
        (read_binary, b"\0\3abc"),
        (read_text, b"\0\3abc"),
        (read_name, b"\0\3abc"),
        (read_pair, b"\0\1a\0\2bc"),
    ],
)
def test_each_type_is_malformed_at_each_place_where_it_can_be_cut_off(read, octets: bytes) -> None:
    assert read(octets + b"..", 0, len(octets))[1] == len(octets)
    for end in range(len(octets)):
        with pytest.raises(MalformedPacket):
            read(octets, 0, end)


def test_string_of_more_than_65535_octets_is_not_written() -> None:
    with pytest.raises(LocalProtocolError):
        serialize_text("é" * 32768)
