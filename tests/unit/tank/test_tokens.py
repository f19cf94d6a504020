"""Tokens, and the uuids and tokens that clients choose."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from thingtank.tank.tokens import (
    DIGEST_BYTES,
    is_among,
    token_problems,
    uuid_key,
    uuid_problems,
)

GOOD = ["a", "7", "x" * 64, "Lamp-1_of.Alice:home@net", "-", "...", "f70b5130-e750-11f1-bff6-9bfab1b9b17d", "bc", "_b"]  # fmt: skip
BAD = [
    ("", "must have 1 to 64 characters"),
    ("x" * 65, "must have 1 to 64 characters"),
    ("a b", "may have letters, digits and - _ . : @ only"),
    ("a/b", "may have letters, digits and - _ . : @ only"),
    ("a\n", "may have letters, digits and - _ . : @ only"),
    ("*", "may have letters, digits and - _ . : @ only"),
    ("#", "may have letters, digits and - _ . : @ only"),
    ("ä", "may have letters, digits and - _ . : @ only"),
    ("\u212aelvin", "may have letters, digits and - _ . : @ only"),
    ("\u0661", "may have letters, digits and - _ . : @ only"),
    (".", "is reserved"),
    ("..", "is reserved"),
    ("all", "is reserved"),
    ("All", "is reserved"),
    ("tag:hall", "is reserved"),
    ("TAG:hall", "is reserved"),
    ("lamp_bc", "is reserved"),
    ("Lamp_BC", "is reserved"),
    ("lamp_tb", "is reserved"),
]


@pytest.mark.parametrize("uuid", GOOD)
def test_a_client_may_choose_such_a_uuid(uuid: str) -> None:
    assert uuid_problems(uuid) == []


@pytest.mark.parametrize(("uuid", "message"), BAD)
def test_a_client_may_not_choose_such_a_uuid(uuid: str, message: str) -> None:
    assert uuid_problems(uuid) == [("uuid", message)]


@pytest.mark.parametrize(("token", "is_good"), [("", False), ("t", True), ("ü" * 255, True), ("t" * 256, False)])  # fmt: skip
def test_a_client_may_choose_a_token_of_such_a_length(token: str, is_good: bool) -> None:
    assert (token_problems(token) == []) is is_good


def test_uuids_that_differ_in_case_only_have_one_key() -> None:
    assert uuid_key("Lamp") == uuid_key("LAMP") != uuid_key("Lamp2")


DIGESTS = st.binary(min_size=DIGEST_BYTES, max_size=DIGEST_BYTES)


@given(st.lists(DIGESTS, max_size=5), DIGESTS)
def test_a_digest_is_among_those_that_it_equals(digests: list[bytes], other: bytes) -> None:
    joined = b"".join(digests)
    assert [is_among(joined, digest) for digest in digests] == [True] * len(digests)
    assert is_among(joined, other) is (other in digests)


def test_what_lies_across_two_digests_is_not_among_them() -> None:
    joined = bytes(range(2 * DIGEST_BYTES))
    assert not is_among(joined, joined[1 : DIGEST_BYTES + 1])
