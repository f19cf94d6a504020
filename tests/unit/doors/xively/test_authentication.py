"""Each way to present a key, and each key that opens nothing."""

import base64

import pytest

from thingtank.doors.xively.authentication import caller_of, credentials_of
from thingtank.protocols.xively.query import parse_parameters
from thingtank.stores.memory_archive import MemoryArchive
from thingtank.stores.memory_directory import MemoryDirectory
from thingtank.tank.errors import Unauthenticated
from thingtank.tank.keys import ACCESS_METHODS, ApiKey, Permission
from thingtank.tank.tank import Tank

SECRET = "a-secret-of-some-length"
BASIC = base64.b64encode(f"{SECRET}:ignored".encode())


@pytest.fixture
async def tank() -> Tank:
    directory = MemoryDirectory()
    alice = directory.add_account("alice")
    key = ApiKey(0, alice.account_id, "k", (Permission(ACCESS_METHODS),))
    await directory.insert_key(key, SECRET)
    return Tank(directory, MemoryArchive())


PRESENTED = [
    ({b"x-apikey": SECRET.encode()}, b""),
    ({b"x-apikey": b" " + SECRET.encode() + b" "}, b""),
    ({b"x-pachubeapikey": SECRET.encode()}, b""),
    ({}, b"key=" + SECRET.encode()),
    ({}, b"oauth_token=" + SECRET.encode()),
    ({b"authorization": b"Bearer " + SECRET.encode()}, b""),
    ({b"authorization": b"bearer " + SECRET.encode()}, b""),
    ({b"authorization": b"Basic " + BASIC}, b""),
    ({b"x-apikey": SECRET.encode(), b"authorization": b"Bearer wrong"}, b"key=wrong"),
]


@pytest.mark.parametrize(("headers", "query"), PRESENTED)
async def test_a_key_is_found_wherever_it_stands(
    tank: Tank, headers: dict[bytes, bytes], query: bytes
) -> None:
    caller = caller_of(tank, credentials_of(headers, parse_parameters(query)), "192.0.2.1")
    assert caller.account is not None
    assert (caller.account.login, caller.address) == ("alice", "192.0.2.1")


UNKNOWN = [
    ({}, b""),
    ({b"x-apikey": b""}, b""),
    ({b"x-apikey": b"wrong"}, b""),
    ({b"x-apikey": b"\xff\xfe"}, b""),
    ({b"x-apikey": b"x" * 100_000}, b""),
    ({}, b"key="),
    ({b"authorization": b"Bearer"}, b""),
    ({b"authorization": b"Basic !!!"}, b""),
    ({b"authorization": b"Digest username=x"}, b""),
]


@pytest.mark.parametrize(("headers", "query"), UNKNOWN)
async def test_what_opens_nothing_is_refused(
    tank: Tank, headers: dict[bytes, bytes], query: bytes
) -> None:
    with pytest.raises(Unauthenticated):
        caller_of(tank, credentials_of(headers, parse_parameters(query)), "")


async def test_a_stranger_may_be_let_in_to_read_but_not_with_a_wrong_key(tank: Tank) -> None:
    stranger = caller_of(tank, credentials_of({}, {}), "", reads_public=True)
    assert (stranger.account, stranger.reads_public) == (None, True)
    with pytest.raises(Unauthenticated):
        caller_of(tank, credentials_of({b"x-apikey": b"wrong"}, {}), "", reads_public=True)


@pytest.mark.parametrize(
    ("referer", "host"),
    [
        (b"http://page.example/a?b", "page.example"),
        (b"https://Sub.Page.Example:81/", "sub.page.example"),
        (b"no address", ""),
        (b"http://[broken", ""),
    ],
)
async def test_the_referer_is_its_host(tank: Tank, referer: bytes, host: str) -> None:
    headers = {b"x-apikey": SECRET.encode(), b"referer": referer}
    assert caller_of(tank, credentials_of(headers, {}), "").referer == host
