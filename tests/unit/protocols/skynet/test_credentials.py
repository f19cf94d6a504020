"""Who a request says it is from."""

import base64

import pytest

from thingtank.protocols.skynet.credentials import SECRET_CHARS_MAX, Credentials, credentials_of


def pair(name: bytes) -> bytes:
    return name + b" " + base64.b64encode(b"u:t:t")


X = {b"x-meshblu-uuid": b"u1", b"x-meshblu-token": b"t1"}
MESHBLU = {b"meshblu_auth_uuid": b"u2", b"meshblu_auth_token": b"t2"}
SKYNET = {b"skynet_auth_uuid": b"u3", b"skynet_auth_token": b"t3"}


@pytest.mark.parametrize(
    ("headers", "found"),
    [
        ({}, None),
        ({b"accept": b"*/*"}, None),
        (X | MESHBLU | SKYNET | {b"authorization": pair(b"Basic")}, Credentials("u1", "t1")),
        (MESHBLU | SKYNET | {b"authorization": pair(b"Basic")}, Credentials("u2", "t2")),
        (SKYNET | {b"authorization": pair(b"Basic")}, Credentials("u3", "t3")),
        ({b"authorization": pair(b"Basic"), b"x-apikey": b"k"}, Credentials("u", "t:t")),
        ({b"authorization": pair(b"BEARER")}, Credentials("u", "t:t")),
        ({b"authorization": pair(b"Digest")}, Credentials()),
        ({b"authorization": b"Basic ?"}, Credentials()),
        ({b"authorization": b"Basic " + base64.b64encode(b"nocolon")}, Credentials("nocolon")),
        ({b"authorization": b"Basic \xff\xfe"}, Credentials()),
        ({b"x-apikey": b" k "}, Credentials(key="k")),
        ({b"x-meshblu-uuid": b" u "}, Credentials("u")),
        ({b"x-meshblu-uuid": b"u"} | SKYNET, Credentials("u3", "t3")),
        ({b"x-meshblu-token": b"t"}, Credentials("", "t")),
    ],
)
def test_credentials(headers: dict[bytes, bytes], found: Credentials | None) -> None:
    assert credentials_of(headers) == found


def test_secrets_are_bounded_and_not_printed() -> None:
    shown = credentials_of({b"x-meshblu-uuid": b"u" * 9999, b"x-meshblu-token": b"t" * 9999})
    assert shown is not None
    assert (len(shown.uuid), len(shown.token)) == (SECRET_CHARS_MAX, SECRET_CHARS_MAX)
    assert "ttt" not in repr(shown)
    assert "kkk" not in repr(Credentials(key="kkk"))
