"""Any bytes as a request of SkyNet's REST API: an answer in JSON, soon, and never a 500 of ours."""

import asyncio
import json
from typing import Any

from hypothesis import assume, given, settings
from hypothesis import strategies as st
from tests.conformance.skynet.conftest import SkyNet

from thingtank.doors.skynet.rest.rest import SkynetRest
from thingtank.net.http_request import Headers, RequestHead
from thingtank.protocols.skynet.rest_paths import PATTERNS

STEPS = st.sampled_from(["U", "nobody", "x" * 300, "%00", "..", "ä", ""])
METHODS = st.sampled_from(["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "BREW"])
NAMES = st.sampled_from(
    ["token", "uuid", "devices", "message", "payload", "name", "tags", "online", "action", "limit",
     "start", "finish", "before", "types", "topics", "tag", "owner", "a[b]", "$set", "$or", "meshblu",
     "sendWhitelist", "keepMessages", "type", "To", "receipts"]
)  # fmt: skip
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.sampled_from(["", "x", "*", "t", "U", "push", "null", "9" * 400, "\0", "tag:x"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=8,
)
BODIES = (
    st.binary(max_size=60)
    | st.dictionaries(NAMES, VALUES, max_size=5).map(lambda value: json.dumps(value).encode())
    | st.dictionaries(NAMES, st.text(max_size=8), max_size=5).map(
        lambda form: "&".join(f"{name}={value}" for name, value in form.items()).encode()
    )
)
CONTENT_TYPES = st.sampled_from(
    [
        b"",
        b"application/json",
        b"application/x-www-form-urlencoded",
        b"multipart/form-data",
        b"\xff",
    ]
)
QUERIES = st.binary(max_size=30) | st.dictionaries(NAMES, st.text("xtU19%&=[]", max_size=6)).map(
    lambda form: "&".join(f"{name}={value}" for name, value in form.items()).encode()
)
AUTHS = st.sampled_from(["none", "device", "wrong", "as", "projection"])


def paths() -> st.SearchStrategy[str]:
    def filled(pattern: str, steps: list[str]) -> str:
        named = iter(steps)
        return "/".join(next(named) if s.startswith(":") else s for s in pattern.split("/"))

    known = st.builds(filled, st.sampled_from(PATTERNS), st.lists(STEPS, min_size=4, max_size=4))
    return known | st.text("/devicsua%2F", max_size=30)


async def asked(
    is_open: bool, method: str, path: str, query: bytes, content_type: bytes, auth: str, body: bytes
) -> tuple[int, Headers, bytes]:
    skynet = SkyNet(is_open=is_open)
    uuid, token = await skynet.made(color="red")
    headers = {b"host": b"localhost", b"content-type": content_type}
    if auth != "none":
        headers |= {b"meshblu_auth_uuid": uuid.encode(), b"meshblu_auth_token": token.encode()}
    if auth == "wrong":
        headers[b"meshblu_auth_token"] = b"bad"
    elif auth == "as":
        headers[b"x-meshblu-as"] = uuid.encode()
    elif auth == "projection":
        headers[b"x-meshblu-projection"] = body[:40]
    raw_path = path.replace("U", uuid).encode("utf-8").decode("latin-1")
    answered: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    skynet.rest.answer(
        RequestHead(method, raw_path, query.replace(b"U", uuid.encode()), headers, "http", "::1"),
        body.replace(b"U", uuid.encode()),
        lambda *answer: answered.set_result(answer),
    )
    return await asyncio.wait_for(answered, 5)  # type: ignore[no-any-return] # as `Respond`


@settings(max_examples=150)
@given(st.booleans(), METHODS, paths(), QUERIES, CONTENT_TYPES, AUTHS, BODIES)
def test_any_request_is_answered(
    is_open: bool, method: str, path: str, query: bytes, content_type: bytes, auth: str, body: bytes
) -> None:
    assume(not SkynetRest.skips(path.encode() + b"?" + query) or method != "GET")
    status, headers, answer = asyncio.run(
        asked(is_open, method, path, query, content_type, auth, body)
    )
    named = dict(headers)
    assert status != 500 or b"Internal" not in answer, (method, path)
    assert named[b"access-control-allow-origin"] == b"*"
    if answer and named[b"content-type"] == b"application/json":
        json.loads(answer)
        assert int(named[b"content-length"]) == len(answer)
