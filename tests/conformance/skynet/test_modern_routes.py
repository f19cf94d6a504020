"""What Meshblu's programs are answered: who they are is in headers.

Source: Meshblu 1.18, its routes as recorded; meshblu-http 10.2 for what it reads of answers.
"""

import base64
from typing import Any

import pytest
from tests.conformance.skynet.conftest import SkyNet

ISO = "2014-03-08T12:00:0"


def encoded(uuid: str, token: str) -> str:
    return base64.b64encode(f"{uuid}:{token}".encode()).decode()


SCHEMES = {
    "x-meshblu": lambda u, t: {"X-Meshblu-UUID": u, "X-Meshblu-Token": t},
    "meshblu_auth": lambda u, t: {"meshblu_auth_uuid": u, "meshblu_auth_token": t},
    "skynet_auth": lambda u, t: {"skynet_auth_uuid": u, "skynet_auth_token": t},
    "basic": lambda u, t: {"Authorization": f"Basic {encoded(u, t)}"},
    "bearer": lambda u, t: {"authorization": f"bearer  {encoded(u, t)} "},
    "trimmed": lambda u, t: {"meshblu_auth_uuid": f" {u} ", "meshblu_auth_token": f" {t} "},
    "in any case": lambda u, t: {"meshblu_auth_uuid": u.upper(), "meshblu_auth_token": t},
}


@pytest.mark.parametrize("scheme", SCHEMES)
async def test_each_header_scheme_says_who_it_is(skynet: SkyNet, scheme: str) -> None:
    uuid, token = await skynet.made()
    for _ in range(2):  # the second time its head is known
        answer = await skynet.ask("GET", "/v2/whoami", headers=SCHEMES[scheme](uuid, token))
        assert answer.status_code == 200
        assert answer.json()["uuid"] == uuid


@pytest.mark.parametrize("scheme", SCHEMES)
async def test_each_header_scheme_is_refused_with_a_wrong_token(
    skynet: SkyNet, scheme: str
) -> None:
    uuid, _ = await skynet.made()
    for path in ("/v2/whoami", "/devices", f"/devices/{uuid}"):
        answer = await skynet.ask("GET", path, headers=SCHEMES[scheme](uuid, "bad"))
        assert (answer.status_code, answer.json()) == (401, {"error": "unauthorized"})


@pytest.mark.parametrize(
    "headers",
    [
        {"meshblu_auth_uuid": "U"},
        {"meshblu_auth_token": "T"},
        {"Authorization": "Basic !!!"},
        {"Authorization": "Basic"},
        {"Authorization": "Digest abc"},
        {"X-ApiKey": "nonsense"},
    ],
)
async def test_half_credentials_open_nothing(skynet: SkyNet, headers: dict[str, str]) -> None:
    answer = await skynet.ask("GET", "/devices", headers=headers)
    assert (answer.status_code, answer.json()) == (401, {"error": "unauthorized"})


async def test_the_newest_of_several_schemes_counts(skynet: SkyNet) -> None:
    names = list(SCHEMES)[:4]
    made = [await skynet.made(name=name) for name in names]
    for number in range(len(names)):
        headers: dict[str, str] = {}
        for name, (uuid, token) in list(zip(names, made, strict=True))[number:]:
            headers |= SCHEMES[name](uuid, token)
        answer = await skynet.ask("GET", "/v2/whoami", headers=headers)
        assert answer.json()["uuid"] == made[number][0]


async def test_a_key_opens_what_its_account_owns(closed: SkyNet) -> None:
    uuid, _ = await closed.made(color="red")
    headers = {"X-ApiKey": await closed.key()}
    answer = await closed.ask("GET", f"/v2/devices/{uuid}", headers=headers)
    assert answer.json()["color"] == "red"
    assert (await closed.ask("GET", "/v2/whoami", headers=headers)).status_code == 404


async def test_a_token_that_is_gone_opens_nothing_at_once(skynet: SkyNet) -> None:
    uuid, token = await skynet.made()
    auth = (uuid, token)
    made = await skynet.ask("POST", f"/devices/{uuid}/tokens", auth=auth, json={"tag": "x"})
    session = (uuid, made.json()["token"])
    assert (await skynet.ask("GET", "/v2/whoami", auth=session)).status_code == 200
    path = f"/devices/{uuid}/tokens/{session[1]}"
    assert (await skynet.ask("DELETE", path, auth=auth)).status_code == 204
    assert (await skynet.ask("GET", "/v2/whoami", auth=session)).status_code == 401
    assert (await skynet.ask("GET", "/v2/whoami", auth=auth)).status_code == 200


async def test_a_deleted_device_is_nobody_at_once(skynet: SkyNet) -> None:
    auth = await skynet.made()
    assert (await skynet.ask("GET", "/v2/whoami", auth=auth)).status_code == 200
    assert (await skynet.ask("DELETE", f"/devices/{auth[0]}", auth=auth)).json() == {
        "uuid": auth[0]
    }
    assert (await skynet.ask("GET", "/v2/whoami", auth=auth)).status_code == 401


@pytest.mark.parametrize("is_known", [True, False])
async def test_registering_by_json_keeps_types(skynet: SkyNet, is_known: bool) -> None:
    auth = await skynet.made() if is_known else None
    body = {"type": "lamp", "n": 5, "on": True, "list": [1, "2"], "deep": {"a": None}}
    answer = await skynet.ask("POST", "/devices", json=body, auth=auth)
    assert answer.status_code == (201 if auth else 200)
    record = answer.json()
    assert {name: record[name] for name in body} == body
    assert isinstance(record["timestamp"], str if auth else int)
    assert ("eventCode" in record) == (auth is None)
    assert record["online"] is False
    assert len(record["token"]) >= 32
    assert "error" not in record
    assert (await skynet.ask("GET", "/v2/whoami", auth=(record["uuid"], record["token"]))).json()[
        "n"
    ] == 5


async def test_registering_by_somebody_known(closed: SkyNet) -> None:
    auth = await closed.made()
    answer = await closed.ask("POST", "/devices", json={"owner": auth[0]}, auth=auth)
    assert answer.status_code == 201
    uuid = answer.json()["uuid"]
    assert (await closed.ask("GET", f"/v2/devices/{uuid}", auth=auth)).json()["owner"] == auth[0]
    stranger = await closed.ask("POST", "/devices", json={})
    assert (stranger.status_code, stranger.json()) == (401, {"error": "unauthorized"})


async def test_registering_a_small_device(skynet: SkyNet) -> None:
    answer = await skynet.ask("POST", "/devices/micro", form="type=spark")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain")
    uuid, token = answer.text.split("\n")
    assert (await skynet.ask("GET", "/v2/whoami", auth=(uuid, token))).json()["type"] == "spark"


async def test_lists_and_records(skynet: SkyNet) -> None:
    auth = await skynet.made(color="red", name="one")
    other = await skynet.made(color="blue", name="two", sendWhitelist=[], owner="x")
    own = (await skynet.ask("GET", f"/v2/devices/{auth[0]}", auth=auth)).json()
    others = (await skynet.ask("GET", f"/v2/devices/{other[0]}", auth=auth)).json()
    assert (own["color"], others["color"]) == ("red", "blue")
    assert not {"sendWhitelist", "owner", "token", "_id"} & set(others)
    for path, expected in (
        (f"/devices/{auth[0]}", {"devices": [own]}),
        ("/devices?color=red", {"devices": [own]}),
        ("/v2/devices?color=blue", [others]),
        ("/v2/devices?color=none", []),
        (f"/v3/devices/{auth[0]}", own),
        ("/v2/whoami", own),
        ("/mydevices", {"devices": [own]}),
        ("/mydevices?color=none", {"devices": []}),
    ):
        answer = await skynet.ask("GET", path, auth=auth)
        assert (answer.status_code, answer.json()) == (200, expected), path


MISSING: list[tuple[str, str, int, Any]] = [
    ("GET", "/devices/nope", 404, {"message": "Devices not found", "code": 404}),
    ("GET", "/devices?color=nope", 404, {"message": "Devices not found", "code": 404}),
    ("PUT", "/devices/nope", 404, {"uuid": "nope", "message": "Device not found", "code": 404}),
    ("DELETE", "/devices/nope", 400, "invalid device to unregister"),
    ("GET", "/v2/devices/nope", 404, {"error": "Device not found"}),
    ("PATCH", "/v2/devices/nope", 404, {"error": "Device not found"}),
    ("PUT", "/v2/devices/nope", 404, {"error": "Device not found"}),
    ("PUT", "/claimdevice/nope", 400, {"error": "not authorized to claim this device"}),
    ("POST", "/devices/nope/token", 404, {"uuid": "nope", "message": "Device not found", "code": 404}),
    ("GET", "/devices/nope/publickey", 404, {"message": "Devices not found", "code": 404}),
    ("GET", "/data/nope", 404, {"message": "Devices not found", "code": 404}),
    ("POST", "/data/nope", 404, {"message": "Devices not found", "code": 404}),
    ("GET", "/events/nope", 404, {"message": "Devices not found", "code": 404}),
    ("GET", "/v2/devices/nope/subscriptions", 404, {"error": "Device not found"}),
]  # fmt: skip


@pytest.mark.parametrize(("method", "path", "status", "body"), MISSING)
async def test_what_is_not_there(
    skynet: SkyNet, method: str, path: str, status: int, body: Any
) -> None:
    auth = await skynet.made()
    answer = await skynet.ask(method, path, auth=auth, json={"a": 1})
    assert (answer.status_code, answer.json()) == (status, body)


@pytest.mark.parametrize(("method", "path", "status", "body"), MISSING)
async def test_what_may_not_be_discovered_looks_as_if_it_were_not_there(
    closed: SkyNet, method: str, path: str, status: int, body: Any
) -> None:
    auth = await closed.made()
    hidden, _token = await closed.made(discoverWhitelist=[], secret="x", color="nope")
    for form in ({"a": 1}, {"a": 1, "token": "bad"}):
        answers = [
            await closed.ask(method, path.replace("nope", uuid), auth=auth, json=form)
            for uuid in (hidden, hidden[:-1] + "x")
        ]
        told = [
            answer.text.replace(hidden, "U").replace(hidden[:-1] + "x", "U") for answer in answers
        ]
        assert told[0] == told[1]
        assert [answer.status_code for answer in answers] == [status, status]


async def test_the_targets_token_grants_what_one_may_not(closed: SkyNet) -> None:
    auth = await closed.made()
    hidden, token = await closed.made()
    answer = await closed.ask("PUT", f"/devices/{hidden}", auth=auth, json={"token": token, "n": 1})
    assert answer.status_code == 200
    assert closed.properties(hidden)["n"] == 1
    path = f"/devices/{hidden}?token={token}"
    assert (await closed.ask("GET", path, auth=auth)).status_code == 200
    assert (await closed.ask("DELETE", path, auth=auth)).json() == {"uuid": hidden}


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PUT", "/devices/U"), ("DELETE", "/devices/U"), ("PATCH", "/v2/devices/U"),
        ("POST", "/devices/U/token"), ("POST", "/devices/U/tokens"), ("POST", "/data/U"),
        ("DELETE", "/devices/U/tokens?tag=x"), ("GET", "/events/U"),
        ("POST", "/v2/devices/U/subscriptions/x/broadcast"),
    ],
)  # fmt: skip
async def test_who_may_not_configure_is_told_so_and_changes_nothing(
    skynet: SkyNet, method: str, path: str
) -> None:
    auth, other = await skynet.made(), await skynet.made(a=0)
    answer = await skynet.ask(method, path.replace("U", other[0]), auth=auth, json={"a": 1})
    assert answer.status_code == 422
    assert "may not configure" in answer.json()["error"]
    assert skynet.properties(other[0]) == {"a": 0}


async def test_putting_answers_the_whole_record(skynet: SkyNet) -> None:
    auth = await skynet.made(color="red", n=1)
    answer = await skynet.ask(
        "PUT", f"/devices/{auth[0]}", auth=auth, json={"n": "5", "color": None}
    )
    record = answer.json()
    assert (record["uuid"], record["n"], "color" in record) == (auth[0], "5", False)
    assert record["timestamp"].startswith(ISO)


@pytest.mark.parametrize(
    ("method", "path", "document", "expected"),
    [
        ("PATCH", "/v2/devices/U", {"n": 2, "new": [1]}, {"n": 2, "new": [1], "tags_": ["a"]}),
        ("PUT", "/v2/devices/U", {"$set": {"deep.x": 1}}, {"n": 1, "deep": {"x": 1}, "tags_": ["a"]}),
        ("PUT", "/v2/devices/U", {"$addToSet": {"tags_": "b"}}, {"n": 1, "tags_": ["a", "b"]}),
        ("PUT", "/v2/devices/U", {"$unset": {"n": True}}, {"tags_": ["a"]}),
        ("PUT", "/v2/devices/U", {"$inc": {"n": 4}}, {"n": 5, "tags_": ["a"]}),
        ("PUT", "/v2/devices/U", {"$set": {"token": "x", "uuid": "y"}}, {"n": 1, "tags_": ["a"]}),
    ],
)  # fmt: skip
async def test_updates(
    skynet: SkyNet, method: str, path: str, document: Any, expected: dict[str, Any]
) -> None:
    auth = await skynet.made(n=1, tags_=["a"])
    answer = await skynet.ask(method, path.replace("U", auth[0]), auth=auth, json=document)
    assert (answer.status_code, answer.content) == (204, b"")
    assert skynet.properties(auth[0]) == expected


@pytest.mark.parametrize(
    ("method", "path", "document", "words"),
    [
        ("PUT", "/v2/devices/U", {"$set": {"name": {"a": 1}}}, "name must be text"),
        ("PATCH", "/v2/devices/U", {"name": ["a"]}, "name must be text"),
        ("PUT", "/devices/U", {"name": True}, "name must be text"),
        ("POST", "/devices", {"uuid": {"a": 1}}, "uuid must be text"),
        ("POST", "/devices", {"token": ["a"]}, "token must be text"),
        ("POST", "/devices", {"keepMessages": "soon"}, "keepMessages must be true, false or"),
        ("PATCH", "/v2/devices/U", {"keepMessages": -1}, "keepMessages must be true, false or"),
        ("PUT", "/v2/devices/U", {"$set": {"keepMessages": {}}}, "keepMessages must be"),
        ("POST", "/data/U", {"a": 1, "b/c": 2}, "has the name b/c"),
        ("POST", "/data/U", {"a": 1, "b": "x" * 3000}, "too long a text in b"),
    ],
)  # fmt: skip
async def test_values_of_a_wrong_kind_are_refused_by_name(
    skynet: SkyNet, method: str, path: str, document: Any, words: str
) -> None:
    auth = await skynet.made(n=1, name="lamp")
    answer = await skynet.ask(method, path.replace("U", auth[0]), auth=auth, json=document)
    assert answer.status_code == 422
    assert words.casefold() in answer.text.casefold()
    assert skynet.properties(auth[0]) == {"n": 1}
    device = (await skynet.ask("GET", f"/v2/devices/{auth[0]}", auth=auth)).json()
    assert device["name"] == "lamp"
    assert (await skynet.ask("GET", f"/data/{auth[0]}", auth=auth)).status_code == 404


async def test_find_and_update_answers_what_it_made(skynet: SkyNet) -> None:
    auth = await skynet.made(n=1)
    path = f"/v2/devices/{auth[0]}/find-and-update"
    answer = await skynet.ask("PUT", path, auth=auth, json={"$inc": {"n": 1}})
    assert (answer.status_code, answer.json()["n"]) == (200, 2)
    bad = await skynet.ask("PUT", path, auth=auth, json={"$rename": {"n": "m"}})
    assert bad.status_code == 422
    assert "$rename" in bad.json()["error"]


async def test_tokens(skynet: SkyNet) -> None:
    auth = uuid, _token = await skynet.made()
    path = f"/devices/{uuid}/tokens"
    plain = (await skynet.ask("POST", path, auth=auth)).json()
    assert set(plain) == {"uuid", "token"}
    tagged = (await skynet.ask("POST", path, auth=auth, json={"tag": "x"})).json()
    assert tagged["tag"] == "x"
    found = await skynet.ask("POST", "/search/tokens", auth=auth, json={})
    assert [(each["uuid"], each["tag"]) for each in found.json()] == [(uuid, ""), (uuid, "x")]
    assert plain["token"] not in found.text
    assert (await skynet.ask("DELETE", f"{path}?tag=x", auth=auth)).status_code == 204
    assert (await skynet.ask("GET", "/v2/whoami", auth=(uuid, tagged["token"]))).status_code == 401
    reset = await skynet.ask("POST", f"/devices/{uuid}/token", auth=(uuid, plain["token"]))
    assert reset.status_code == 201
    assert (await skynet.ask("GET", "/v2/whoami", auth=auth)).status_code == 401
    answer = await skynet.ask("GET", "/v2/whoami", auth=(uuid, reset.json()["token"]))
    assert answer.status_code == 200


async def test_claiming(skynet: SkyNet) -> None:
    auth = await skynet.made()
    lamp = (await skynet.ask("POST", "/devices", form="type=lamp&token=t")).json()["uuid"]
    unclaimed = await skynet.ask("GET", "/unclaimeddevices", auth=auth)
    assert [device["uuid"] for device in unclaimed.json()["devices"]] == [lamp]
    answer = await skynet.ask("PUT", f"/claimdevice/{lamp}", auth=auth, json={"name": "mine"})
    assert (answer.json()["owner"], answer.json()["name"]) == (auth[0], "mine")
    assert (await skynet.ask("GET", "/unclaimeddevices", auth=auth)).json() == {"devices": []}
    mine = (await skynet.ask("GET", "/mydevices?type=lamp", auth=auth)).json()["devices"]
    assert [device["uuid"] for device in mine] == [lamp]
    thief = await skynet.made()
    refused = await skynet.ask("POST", f"/claimdevice/{lamp}", auth=thief)
    assert (refused.status_code, refused.json()) == (
        400,
        {"error": "not authorized to claim this device"},
    )


@pytest.mark.parametrize(
    "body",
    [
        {"devices": ["U"], "payload": {"a": 1}},
        {"devices": "U", "payload": 1},
        {"devices": ["U"], "subdevice": "s", "topic": "t", "payload": None, "extra": [1]},
        {"devices": "U", "message": {"a": 1}},
        {"devices": "*", "payload": "broadcast"},
        {"devices": ["nobody"], "payload": 1},
    ],
)
async def test_messages_are_answered_by_what_was_sent(skynet: SkyNet, body: dict[str, Any]) -> None:
    auth, other = await skynet.made(), await skynet.made()
    ear = skynet.hear(other[0])
    body = {
        **body,
        "devices": other[0]
        if body["devices"] == "U"
        else [other[0]]
        if body["devices"] == ["U"]
        else body["devices"],
    }
    for _ in range(2):
        answer = await skynet.ask("POST", "/messages", auth=auth, json=body)
        assert (answer.status_code, answer.json()) == (200, body)
    if other[0] in body["devices"]:
        assert ear.messages == [{**body, "fromUuid": auth[0]}] * 2


@pytest.mark.parametrize(
    ("devices", "why"),
    [
        (None, "must be a uuid"),
        ([], "must be a uuid"),
        ([1], "must be uuids"),
        ("", "must be a uuid"),
        (["x"] * 1001, "too many (1001; maximum is 1000)"),
    ],
)
async def test_messages_to_nobody(skynet: SkyNet, devices: Any, why: str) -> None:
    body = {} if devices is None else {"devices": devices}
    answer = await skynet.ask("POST", "/messages", auth=await skynet.made(), json=body)
    assert answer.status_code == 422
    assert answer.json()["error"] == "Invalid Message Format"
    assert why in answer.json()["problems"][0]


async def test_a_record_alone_is_not_taken_for_an_error(skynet: SkyNet) -> None:
    made = await skynet.ask("POST", "/devices", auth=await skynet.made(), json={"error": "hot"})
    auth = made.json()["uuid"], made.json()["token"]
    changed = await skynet.ask("PUT", f"/devices/{auth[0]}", auth=auth, json={"a": 1})
    seen = [made, changed]
    seen += [
        await skynet.ask("GET", f"/v2/{p}", auth=auth) for p in ("whoami", f"devices/{auth[0]}")
    ]
    assert all("error" not in answer.json() for answer in seen)
    found = (await skynet.ask("GET", "/v2/devices", auth=auth)).json()
    assert [each["error"] for each in found if each["uuid"] == auth[0]] == ["hot"]


async def test_what_a_caller_has_named_is_told_as_it_is(skynet: SkyNet) -> None:
    auth = await skynet.made()
    while auth[0][0].isdigit():  # only a letter could be made a capital
        auth = await skynet.made()
    other = await skynet.made(configureWhitelist=[])
    refused = await skynet.ask("PUT", f"/devices/{other[0]}", auth=auth, json={"a": 1})
    assert refused.json()["error"].startswith(f"{auth[0]} may not configure")
    question = {"n": {"a": 1, "$eq": 5}}
    refused = await skynet.ask("POST", "/search/devices", auth=auth, json=question)
    assert refused.json()["error"].startswith("a is not one of")


async def test_an_answer_never_says_error_and_never_a_token(skynet: SkyNet) -> None:
    auth, other = await skynet.made(), await skynet.made()
    ear = skynet.hear(other[0])
    body = {"devices": other[0], "payload": 1, "error": "mine", "token": "secret", "fromUuid": "x"}
    answer = await skynet.ask("POST", "/messages", auth=auth, json=body)
    assert "error" not in answer.json()
    assert "token" not in answer.json()
    assert ear.messages == [
        {"devices": other[0], "payload": 1, "error": "mine", "fromUuid": auth[0]}
    ]


async def test_receipts_say_what_became_of_a_message(skynet: SkyNet) -> None:
    auth, there, away = await skynet.made(), await skynet.made(), await skynet.made()
    keeping = await skynet.made(keepMessages=True)
    ear = skynet.hear(there[0])
    devices = [there[0], away[0], keeping[0], "nobody"]
    answer = await skynet.ask(
        "POST", "/messages?receipts=true", auth=auth, json={"devices": devices, "payload": 1}
    )
    assert answer.json()["payload"] == 1
    outcomes = [(each["devices"], each["outcome"]) for each in answer.json()["receipts"]]
    assert outcomes == list(
        zip(devices, ["delivered", "away", "kept", "undeliverable"], strict=True)
    )
    assert ear.messages == [{"devices": devices, "payload": 1, "fromUuid": auth[0]}]
    body = {"devices": there[0], "payload": 2, "receipts": True}
    again = await skynet.ask("POST", "/messages", auth=auth, json=body)
    assert again.json()["receipts"] == [{"devices": there[0], "outcome": "delivered", "count": 1}]
    assert "receipts" not in ear.messages[1]


async def test_broadcasts(skynet: SkyNet) -> None:
    auth = await skynet.made()
    ear = skynet.hear(auth[0], "broadcast")
    answer = await skynet.ask("POST", "/broadcasts", auth=auth, json={"payload": 1, "topic": "t"})
    assert answer.status_code == 204
    assert ear.messages == [{"payload": 1, "topic": "t", "devices": ["*"], "fromUuid": auth[0]}]


async def test_data(skynet: SkyNet) -> None:
    auth = await skynet.made()
    answer = await skynet.ask("POST", f"/data/{auth[0]}", auth=auth, json={"t": 1.5, "on": True})
    assert (answer.status_code, answer.content) == (201, b"")
    (shown,) = (await skynet.ask("GET", f"/data/{auth[0]}", auth=auth)).json()["data"]
    assert (shown["t"], shown["on"], shown["uuid"]) == ("1.5", "true", auth[0])
    empty = await skynet.ask("POST", f"/data/{auth[0]}", auth=auth, json={"token": "x"})
    assert empty.status_code == 422


async def test_who_may_receive_may_read_data(skynet: SkyNet) -> None:
    auth, other = await skynet.made(), await skynet.made()
    await skynet.ask("POST", f"/data/{auth[0]}", auth=auth, json={"t": 1})
    path = f"/data/{auth[0]}"
    assert (await skynet.ask("GET", path, auth=other)).status_code == 200
    await skynet.ask("PATCH", f"/v2/devices/{auth[0]}", auth=auth, json={"receiveWhitelist": []})
    assert (await skynet.ask("GET", path, auth=other)).status_code == 422


async def test_authenticate(skynet: SkyNet) -> None:
    auth = await skynet.made()
    assert (await skynet.ask("POST", "/authenticate", auth=auth)).status_code == 204
    for wrong in ((auth[0], "bad"), None):
        answer = await skynet.ask("POST", "/authenticate", auth=wrong)
        assert (answer.status_code, answer.json()) == (401, {"error": "unauthorized"})


async def test_public_keys(skynet: SkyNet) -> None:
    auth, other = await skynet.made(publicKey="PEM"), await skynet.made()
    for uuid, key in ((auth[0], "PEM"), (other[0], None)):
        answer = await skynet.ask("GET", f"/devices/{uuid}/publickey", auth=auth)
        assert answer.json() == {"publicKey": key}
    assert (await skynet.ask("GET", "/healthcheck")).json() == {"online": True}


async def test_filters_of_objects_and_lists(skynet: SkyNet) -> None:
    auth = await skynet.made(deep={"a": "b"}, list=["x", "y"], n=5)
    for query in ("deep[a]=b", "list[0]=x&list[1]=y", "list=x", "n=5"):
        found = await skynet.ask("GET", f"/v2/devices?{query}", auth=auth)
        assert [device["uuid"] for device in found.json()] == [auth[0]], query
    assert (await skynet.ask("GET", "/v2/devices?deep[a]=c", auth=auth)).json() == []


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ({"type": "lamp"}, ["a", "b"]),
        ({"type": "lamp", "n": {"$ne": 1}}, ["b"]),
        ({"$or": [{"n": 1}, {"n": {"$in": [3, 4]}}]}, ["a", "c"]),
        ({"$and": [{"type": "lamp"}, {"room": {"$exists": True}}]}, ["a"]),
        ({"deep.x.0": "y"}, ["b"]),
        ({"room": None}, ["b", "c"]),
        ({}, ["a", "b", "c"]),
    ],
)
async def test_searches(skynet: SkyNet, query: Any, names: list[str]) -> None:
    auth = await skynet.made(name="a", type="lamp", n=1, room="hall")
    await skynet.made(name="b", type="lamp", n=2, deep={"x": ["y"]})
    await skynet.made(name="c", type="fan", n=3)
    answer = await skynet.ask("POST", "/search/devices", auth=auth, json=query)
    assert sorted(device["name"] for device in answer.json()) == names


@pytest.mark.parametrize(
    "query", [{"n": {"$where": "1"}}, {"$nor": []}, {"n": {"$regex": ".*"}}, {"$or": {}}]
)
async def test_searches_in_other_words_are_refused(skynet: SkyNet, query: Any) -> None:
    auth = await skynet.made()
    answer = await skynet.ask("POST", "/search/devices", auth=auth, json=query)
    assert answer.status_code == 422


async def test_a_projection_leaves_members_out(skynet: SkyNet) -> None:
    auth = await skynet.made(n=1, m=2)
    for projection, members in (('{"n":true,"uuid":true}', {"n", "uuid"}), ('{"n":1}', {"n"})):
        answer = await skynet.ask(
            "POST",
            "/search/devices",
            auth=auth,
            json={},
            headers={"X-Meshblu-Projection": projection},
        )
        assert set(answer.json()[0]) == members
    without = await skynet.ask(
        "GET", f"/v2/devices/{auth[0]}", auth=auth, headers={"X-Meshblu-Projection": '{"n":false}'}
    )
    assert "n" not in without.json()
    assert "m" in without.json()


async def test_what_is_not_shown_cannot_be_asked_for(skynet: SkyNet) -> None:
    auth = await skynet.made()
    other = await skynet.made(owner="somebody", name="other", sendWhitelist=["x"])
    for path in ("/v2/devices?owner=somebody", "/v2/devices?sendWhitelist=x"):
        assert (await skynet.ask("GET", path, auth=auth)).json() == []
        assert len((await skynet.ask("GET", path, auth=other)).json()) == 1
    for query in ({"owner": "somebody"}, {"sendWhitelist": {"$exists": True}}):
        assert (await skynet.ask("POST", "/search/devices", auth=auth, json=query)).json() == []
    none = await skynet.ask("GET", "/devices?owner=somebody")
    assert none.status_code == 404
