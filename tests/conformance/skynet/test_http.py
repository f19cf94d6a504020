"""What all routes have in common: paths, methods, CORS, bounds, rates, strangers, the request log."""

import asyncio
from typing import Any

import httpx
import pytest
from tests.conformance.skynet.conftest import SkyNet

from thingtank.doors.skynet.rest.rest import SkynetRest
from thingtank.doors.skynet.rest.routes import ROUTES
from thingtank.doors.skynet.settings import SkynetSettings
from thingtank.protocols.skynet.rest_paths import PATTERNS
from thingtank.tank.errors import Overloaded, StorageFailed

OPEN = ["/", "/status", "/ipaddress", "/healthcheck", "/publickey", "/authenticate/U"]


@pytest.mark.parametrize(
    "path", ["/nothing", "/devices/a/b/c/d", "/v2", "/V2/whoami", "/devices//x", "/messages/x"]
)
async def test_unknown_paths_are_answered(skynet: SkyNet, path: str) -> None:
    for method in ("GET", "POST", "DELETE"):
        answer = await skynet.ask(method, path)
        assert answer.status_code == 404
        assert answer.json() == {"code": "ResourceNotFound", "message": f"{path} does not exist"}


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("POST", "/status", "GET, HEAD"),
        ("DELETE", "/messages", "POST"),
        ("PATCH", "/devices/x", "GET, PUT, DELETE, HEAD"),
        ("BREW", "/devices", "GET, POST, HEAD"),
        ("HEAD", "/messages", "POST"),
        ("HEAD", "/subscribe", "GET"),
    ],
)
async def test_other_methods(skynet: SkyNet, method: str, path: str, allow: str) -> None:
    answer = await skynet.ask(method, path)
    assert (answer.status_code, answer.headers["allow"]) == (405, allow)
    if method != "HEAD":
        assert answer.json() == {
            "code": "MethodNotAllowedError",
            "message": f"{method} is not allowed",
        }


def test_every_path_has_a_route() -> None:
    assert {pattern for pattern, _ in ROUTES} == set(PATTERNS)


@pytest.mark.parametrize("path", ["/devices", "/v2/devices/x", "/anything"])
async def test_pages_may_ask(skynet: SkyNet, path: str) -> None:
    answer = await skynet.ask("OPTIONS", path)
    assert (answer.status_code, answer.content) == (204, b"")
    assert answer.headers["access-control-allow-origin"] == "*"
    assert "PATCH" in answer.headers["access-control-allow-methods"]
    assert "meshblu_auth_uuid" in answer.headers["access-control-allow-headers"]


async def test_head_is_get_without_a_body(skynet: SkyNet) -> None:
    got = await skynet.ask("GET", "/healthcheck")
    answer = await skynet.ask("HEAD", "/healthcheck")
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["content-length"] == str(len(got.content))


async def test_paths_may_end_with_a_slash_and_be_encoded(skynet: SkyNet) -> None:
    uuid, _ = await skynet.made()
    for path in (
        f"/devices/{uuid}/",
        f"/devices/%{ord(uuid[0]):02x}{uuid[1:]}",
        f"/dev%69ces/{uuid}",
    ):
        assert (await skynet.ask("GET", path)).json()["uuid"] == uuid


@pytest.mark.parametrize("way", ["direct", "asgi"])
async def test_large_bodies(way: str) -> None:
    skynet = SkyNet(way, settings=SkynetSettings(message_bytes_max=1000))
    body = b'{"devices":"*","payload":"' + b"x" * 1000 + b'"}'
    answer = await skynet.ask("POST", "/messages", content=body)
    assert answer.status_code == 413
    assert answer.json()["error"]["code"] == 413
    answer = await skynet.ask("POST", "/messages", auth=await skynet.made(), content=body)
    assert (answer.status_code, answer.json()) == (
        413,
        {"error": "the body has more than 1000 bytes"},
    )


async def test_many_parameters_and_long_queries(skynet: SkyNet) -> None:
    many = "&".join(f"n{number}=1" for number in range(600))
    assert (await skynet.ask("POST", "/devices", form=many)).status_code == 400
    assert (await skynet.ask("GET", f"/devices?{many}")).status_code == 400
    assert (await skynet.ask("GET", f"/devices?a={'x' * 9000}")).status_code == 400


@pytest.mark.parametrize(
    ("pattern", "method"), sorted(key for key, route in ROUTES.items() if route.handler)
)
async def test_strangers_are_told_nothing_by_a_closed_server(
    closed: SkyNet, pattern: str, method: str
) -> None:
    uuid, _ = await closed.made(phoneNumber="1", color="red")
    names = {":token": "t", ":emitter": "x", ":type": "broadcast"}
    for name, value in names.items():
        pattern = pattern.replace(name, value)
    bodies: list[dict[str, Any]] = [{"form": "a=1"}, {"json": {"devices": uuid, "payload": 1}}]
    for target in (uuid, "nobody"):
        path = pattern.replace(":uuid", target)
        for body in bodies if method != "GET" else [{}]:
            answer = await closed.ask(method, path, **body)
            if pattern.replace(":uuid", "U") in OPEN:
                assert answer.status_code in (200, 404, 503)
                assert "color" not in answer.text
            else:
                assert (answer.status_code, answer.json()) == (401, {"error": "unauthorized"})


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Host": "evil.example"},
        {"Sec-Fetch-Site": "cross-site"},
        {"X-Forwarded-For": "8.8.8.8"},
        {"Via": "1.1 proxy"},
    ],
)
async def test_strangers_from_elsewhere_are_told_nothing_by_an_open_server(
    skynet: SkyNet, headers: dict[str, str]
) -> None:
    uuid, token = await skynet.made()
    answer = await skynet.ask("GET", f"/devices/{uuid}", headers=headers)
    assert (answer.status_code, answer.json()) == (401, {"error": "unauthorized"})
    shown = await skynet.ask("GET", f"/devices/{uuid}", headers=headers, auth=(uuid, token))
    assert shown.status_code == 200


async def test_programs_of_2014_show_tokens_to_a_closed_server(closed: SkyNet) -> None:
    uuid, token = await closed.made(color="red")
    answer = await closed.ask("GET", f"/devices/{uuid}?token={token}")
    assert (answer.json()["color"], answer.json()["eventCode"]) == ("red", 500)
    changed = await closed.ask("PUT", f"/devices/{uuid}", form=f"token={token}&color=blue")
    assert changed.json()["color"] == "blue"
    for path in (f"/devices/{uuid}?token=bad", "/devices/nobody?token=bad"):
        wrong = (await closed.ask("GET", path)).json()
        assert wrong["error"]["message"] == "Device not found"


async def test_wrong_tokens_are_not_looked_at_for_ever(closed: SkyNet) -> None:
    for uuid in ((await closed.made())[0], "nobody"):
        answers = [await closed.ask("GET", "/v2/whoami", auth=(uuid, "bad")) for _ in range(12)]
        assert [answer.status_code for answer in answers] == [401] * 10 + [429] * 2
        assert answers[-1].headers["retry-after"] == "900"
        legacy = await closed.ask("GET", f"/events/{uuid}?token=bad")
        assert legacy.status_code == 429
        assert "too many wrong tokens" in legacy.json()["error"]["message"].lower()
        assert (await closed.ask("GET", f"/authenticate/{uuid}?token=bad")).status_code == 429


@pytest.mark.parametrize("way", ["direct", "asgi"])
async def test_who_asks_too_often_is_told_when_to_try_again(way: str) -> None:
    skynet = SkyNet(way, settings=SkynetSettings(rate_messages_s=2, rate_queries_s=0.4))
    auth = await skynet.made()
    body = {"devices": auth[0], "payload": 1}
    answers = [await skynet.ask("POST", "/messages", auth=auth, json=body) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[2].headers["retry-after"] == "1"
    assert "try again in 0." in answers[2].json()["error"]
    assert (await skynet.ask("GET", "/devices")).status_code == 200
    legacy = await skynet.ask("GET", "/devices")
    assert (legacy.status_code, legacy.headers["retry-after"]) == (429, "3")
    assert legacy.json()["error"]["code"] == 429


@pytest.mark.parametrize("error", [Overloaded("full", 7), StorageFailed("disk", 7)])
async def test_what_cannot_be_done_now_says_when(skynet: SkyNet, error: Exception) -> None:
    auth = await skynet.made(keepMessages=True)

    def refuse(*_args: object) -> asyncio.Future[int]:
        failed: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        failed.set_exception(error)
        return failed

    skynet.kept.keep = refuse  # type: ignore[method-assign] # a disk that fails
    body = {"devices": auth[0], "payload": 1}
    answer = await skynet.ask("POST", "/messages", auth=auth, json=body)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "7")


async def test_a_fault_of_ours_is_not_told(skynet: SkyNet, monkeypatch: pytest.MonkeyPatch) -> None:
    auth = await skynet.made()
    monkeypatch.setattr(skynet.tank.messaging.presence, "is_online", lambda _id: 1 / 0)
    answer = await skynet.ask("GET", f"/devices/{auth[0]}")
    assert answer.status_code == 500
    assert answer.json() == {"error": {"message": "Internal Server Error", "code": 500}}


async def test_acting_in_anothers_name_needs_its_leave(skynet: SkyNet) -> None:
    auth = await skynet.made(name="agent")
    allowing = await skynet.made(
        sendAsWhitelist=[auth[0]], discoverAsWhitelist=[auth[0]], configureAsWhitelist=[]
    )
    other = await skynet.made()
    ear = skynet.hear(other[0])
    body = {"devices": other[0], "payload": 1}
    as_allowing = {"X-Meshblu-As": allowing[0]}
    answer = await skynet.ask("POST", "/messages", auth=auth, json=body, headers=as_allowing)
    assert answer.status_code == 200
    assert [message["fromUuid"] for message in ear.messages] == [allowing[0]]
    whoami = await skynet.ask("GET", "/v2/whoami", auth=auth, headers=as_allowing)
    assert whoami.json()["uuid"] == allowing[0]
    for method, path, uuid in (
        ("PUT", f"/devices/{allowing[0]}", allowing[0]),
        ("GET", "/v2/whoami", other[0]),
        ("GET", "/v2/whoami", "nobody"),
        ("POST", "/messages", other[0]),
    ):
        refused = await skynet.ask(
            method, path, auth=auth, json=body, headers={"X-Meshblu-As": uuid}
        )
        assert (refused.status_code, refused.json()) == (403, {"error": "Forbidden"})
    assert len(ear.messages) == 1


async def test_the_request_log_shows_no_secrets(skynet: SkyNet) -> None:
    made = (await skynet.ask("POST", "/devices", form="token=secret1&color=red")).json()
    uuid = made["uuid"]
    auth = (uuid, "secret1")
    session = (await skynet.ask("POST", f"/devices/{uuid}/tokens", auth=auth)).json()["token"]
    await skynet.ask("PUT", f"/devices/{uuid}", form="%74oken=secret1&color=blue")
    await skynet.ask("GET", f"/events/{uuid}?limit=3&token=secret1")
    await skynet.ask("GET", f"/events/{uuid}?%74oken=secret1")
    await skynet.ask("DELETE", f"/devices/{uuid}/tokens/{session}", auth=auth)
    await skynet.ask("PUT", f"/devices/{uuid}", form="token=bad&color=blue")
    await skynet.ask("POST", "/messages", auth=auth, json={"devices": uuid, "payload": 1})
    told = [(each.asked.method, each.asked.path, each.status) for each in skynet.served]
    assert told == [
        ("POST", "/devices", 200),
        ("POST", f"/devices/{uuid}/tokens", 200),
        ("PUT", f"/devices/{uuid}", 200),
        ("GET", f"/events/{uuid}?limit=3&token=…", 200),
        ("GET", f"/events/{uuid}?%74oken=…", 200),
        ("DELETE", f"/devices/{uuid}/tokens/…", 204),
        ("PUT", f"/devices/{uuid}", 404),
        ("POST", "/messages", 200),
    ]
    everything = repr(skynet.served)
    assert "secret1" not in everything
    assert session not in everything
    assert skynet.served[-1].request_body
    assert skynet.served[-2].reason
    assert {each.asked.device_id for each in skynet.served} == {
        skynet.directory.find_device_by_uuid(uuid).device_id  # type: ignore[union-attr] # it is there
    }


@pytest.mark.parametrize(
    ("target", "is_stream"),
    [
        (b"/subscribe", True),
        (b"/subscribe/x", True),
        (b"/subscribe?token=1", True),
        (b"/%73ubscribe/x", True),
        (b"/data/x?stream=true", True),
        (b"/data/x?limit=1&%73tream=1", True),
        (b"/data/x?stream=false", False),
        (b"/data/x", False),
        (b"/subscribers", False),
        (b"/messages", False),
        (b"/devices/subscribe", False),
    ],
)
def test_streams_are_known_by_their_target(target: bytes, is_stream: bool) -> None:
    assert SkynetRest.skips(target) is is_stream


async def test_a_peer_that_leaves_while_it_sends_is_let_go() -> None:
    skynet = SkyNet("asgi")
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    scope = {
        "type": "http", "method": "POST", "path": "/messages", "raw_path": b"/messages",
        "query_string": b"", "headers": [], "scheme": "http", "client": ("127.0.0.1", 1),
    }  # fmt: skip
    await skynet.rest(scope, receive, send)
    assert sent == []


async def test_curl_without_a_body_or_a_type(skynet: SkyNet) -> None:
    async with httpx.AsyncClient(
        transport=skynet.client._transport, base_url="http://127.0.0.1:3000"
    ) as client:
        answer = await client.request("POST", "/devices", content=b"")
    assert answer.status_code == 200
    assert answer.json()["channel"] == "main"


@pytest.mark.parametrize(
    "method_and_path", ["POST /messages", "PUT /v2/devices/:uuid", "POST /devices"]
)
@pytest.mark.parametrize("depth", [100, 400, 900])
async def test_json_that_is_too_deep_is_refused_before_anything_walks_it(
    skynet: SkyNet, method_and_path: str, depth: int
) -> None:
    auth = await skynet.made()
    method, path = method_and_path.replace(":uuid", auth[0]).split()
    deep = "[" * depth + "]" * depth
    sent = f'{{"devices": "*", "payload": {deep}, "$set": {{"x": {deep}}}}}'
    headers = {"Content-Type": "application/json"}
    answer = await skynet.ask(method, path, auth=auth, content=sent, headers=headers)
    assert answer.status_code == 400
    assert "nested deeper than 64" in answer.json()["error"]


async def test_a_field_that_is_too_deep_stays_text(skynet: SkyNet) -> None:
    uuid, token = await skynet.made()
    deep = "[" * 400 + "]" * 400
    answer = await skynet.ask("PUT", f"/devices/{uuid}", form=f"token={token}&x={deep}")
    assert (answer.status_code, answer.json()["x"]) == (200, deep)


async def test_passwords_of_hooks_are_in_no_log(skynet: SkyNet) -> None:
    hook = {"url": "https://h.example", "auth": {"user": "me", "pass": "hunter2"}}
    hooks = {"messageHooks": [hook]}
    made = (await skynet.ask("POST", "/devices", json={"meshblu": hooks, "token": "t"})).json()
    auth = (made["uuid"], "t")
    await skynet.ask("PUT", f"/devices/{auth[0]}", json={"meshblu": hooks, "token": "t"})
    await skynet.ask("PUT", f"/devices/{auth[0]}", auth=auth, json={"meshblu": hooks})
    await skynet.ask("PUT", f"/v2/devices/{auth[0]}", auth=auth, json={"$set": {"meshblu": hooks}})
    await skynet.ask("GET", f"/devices/{auth[0]}?token=t")
    assert "hunter2" in (await skynet.ask("GET", "/v2/whoami", auth=auth)).text
    assert len(skynet.served) >= 5
    assert "hunter2" not in repr(skynet.served)
    logged = await skynet.ask("GET", f"/events/{auth[0]}", auth=auth)
    assert len(logged.json()["events"]) >= 4
    assert "hunter2" not in logged.text
