"""Triggers, keys, products, devices, activation and users through the door, sentence by sentence.

Source: Xively API v2; sections 2.3, 6.1, 7 and 8.1 of the spec.
"""

from typing import Any

import pytest
from defusedxml.ElementTree import fromstring
from tests.conformance.xively.conftest import Xively

from thingtank.tank.access import Caller
from thingtank.tank.actions.devices import update_device
from thingtank.tank.changes import DeviceChange

READ_ONLY: dict[str, Any] = {"label": "reader", "permissions": [{"access_methods": ["get"]}]}


def last_of(location: str) -> str:
    return location.rstrip("/").rpartition("/")[2]


def feed_id(xively: Xively) -> int:
    return int(last_of(xively.feed))


# --- 6.1 triggers -------------------------------------------------------------------------------


def trigger_of(xively: Xively, **members: Any) -> dict[str, Any]:
    return {
        "environment_id": feed_id(xively),
        "stream_id": "temp",
        "url": "http://receiver.example/hook",
        "trigger_type": "gt",
        "threshold_value": "15.0",
        **members,
    }


@pytest.fixture
async def with_temp(xively: Xively) -> None:
    await xively.ask(
        "PUT", xively.feed, json={"datastreams": [{"id": "temp", "current_value": "1"}]}
    )


async def made_trigger(xively: Xively, **members: Any) -> str:
    made = await xively.ask("POST", "/v2/triggers.json", json=trigger_of(xively, **members))
    assert (made.status_code, made.content) == (201, b""), made.text
    assert last_of(made.headers["Location"]).isdigit()
    return "/v2/triggers/" + last_of(made.headers["Location"])


@pytest.mark.usefixtures("with_temp")
async def test_6_1_a_trigger_is_created_read_changed_and_deleted(xively: Xively) -> None:
    path = await made_trigger(xively, environment_id=str(feed_id(xively)))
    found = (await xively.ask("GET", path)).json()
    assert found == {
        "id": int(last_of(path)), "url": "http://receiver.example/hook", "trigger_type": "gt",
        "threshold_value": "15.0", "user": "alice", "environment_id": feed_id(xively), "stream_id": "temp",
    }  # fmt: skip
    echoed = {**found, "threshold_value": 20, "user": "bob", "environment_id": 1, "stream_id": "x"}
    done = await xively.ask("PUT", path, json=echoed)
    assert (done.status_code, done.content) == (200, b"")
    after = (await xively.ask("GET", path)).json()
    assert after == {**found, "threshold_value": "20"}
    assert (await xively.ask("DELETE", path)).status_code == 200
    assert (await xively.ask("GET", path)).status_code == 404


@pytest.mark.usefixtures("with_temp")
async def test_6_1_triggers_are_listed_as_a_bare_array_by_feed(xively: Xively) -> None:
    assert (await xively.ask("GET", "/v2/triggers")).json() == []
    path = await made_trigger(xively, trigger_type="frozen")
    (found,) = (await xively.ask("GET", "/v2/triggers")).json()
    assert "threshold_value" not in found
    assert found["id"] == int(last_of(path))
    for feed, count in ((feed_id(xively), 1), (last_of(xively.public), 0)):
        listed = await xively.ask("GET", f"/v2/triggers.json?feed_id={feed}", "master")
        assert len(listed.json()) == count
    assert (await xively.ask("GET", "/v2/triggers?feed_id=x")).status_code == 400


@pytest.mark.usefixtures("with_temp")
async def test_6_1_triggers_in_xml(xively: Xively) -> None:
    xml = (
        "<datastream-trigger><url>http://receiver.example/x</url><trigger-type>lt</trigger-type>"
        f'<threshold-value type="float">3.5</threshold-value><environment-id type="integer">{feed_id(xively)}'
        "</environment-id><stream-id>temp</stream-id></datastream-trigger>"
    )
    made = await xively.ask("POST", "/v2/triggers.xml", content=xml)
    assert made.status_code == 201, made.text
    path = f"/v2/triggers/{last_of(made.headers['Location'])}.xml"
    root = fromstring((await xively.ask("GET", path)).content)
    assert (root.tag, root.findtext("threshold-value")) == ("datastream-trigger", "3.5")
    listed = fromstring((await xively.ask("GET", "/v2/triggers.xml")).content)
    assert (listed.tag, len(listed)) == ("datastream-triggers", 1)
    assert (await xively.ask("GET", "/v2/triggers.csv")).status_code == 406


REFUSED_TRIGGERS = [
    ({"url": ""}, "url", "can't be blank"),
    ({"stream_id": ""}, "stream id", "can't be blank"),
    ({"stream_id": "none"}, "stream id", "is not a datastream"),
    ({"environment_id": None}, "environment id", "can't be blank"),
    ({"environment_id": 999_999_999}, "environment id", "is not a feed"),
    ({"environment_id": "roof"}, "environment id", ""),
    ({"trigger_type": "above"}, "", "trigger"),
    ({"threshold_value": None}, "", "threshold"),
    ({"threshold_value": "high"}, "", "threshold"),
    ({"threshold_value": {}}, "", "threshold"),
    ({"url": "ftp://receiver.example/"}, "url", ""),
    ({"url": "http://a b/"}, "url", ""),
]


@pytest.mark.usefixtures("with_temp")
@pytest.mark.parametrize(("members", "field", "message"), REFUSED_TRIGGERS)
async def test_6_1_a_bad_trigger_is_422(
    xively: Xively, members: dict[str, Any], field: str, message: str
) -> None:
    refused = await xively.ask("POST", "/v2/triggers", json=trigger_of(xively, **members))
    assert refused.status_code == 422, refused.text
    text = refused.text.lower()
    assert field.lower() in text
    assert message in text
    assert (await xively.ask("GET", "/v2/triggers")).json() == []


@pytest.mark.usefixtures("with_temp")
@pytest.mark.parametrize("key", ["read", "bob", ""])
async def test_6_1_a_stranger_and_a_reader_make_and_see_no_triggers(
    xively: Xively, key: str
) -> None:
    path = await made_trigger(xively)
    status = 403 if key else 401
    made = await xively.ask("POST", "/v2/triggers", key, json=trigger_of(xively))
    assert made.status_code == status
    for method in ("GET", "PUT", "DELETE"):
        body = {"json": {"url": "http://evil.example"}} if method == "PUT" else {}
        assert (await xively.ask(method, path, key, **body)).status_code == status
    listed = await xively.ask("GET", "/v2/triggers", key)
    assert listed.status_code == 401 or listed.json() == []


@pytest.mark.parametrize("number", ["abc", "9" * 23, "-1"])
async def test_6_1_what_cannot_be_a_trigger_is_404_in_plain_words(
    xively: Xively, number: str
) -> None:
    refused = await xively.ask("GET", f"/v2/triggers/{number}")
    assert (refused.status_code, "there is no such trigger" in refused.text.lower()) == (404, True)


# --- 2.3 keys -----------------------------------------------------------------------------------


async def made_key(xively: Xively, by: str = "master", **members: Any) -> str:
    made = await xively.ask("POST", "/v2/keys", by, json={"key": {**READ_ONLY, **members}})
    assert (made.status_code, made.content) == (201, b""), made.text
    return last_of(made.headers["Location"])


async def test_2_3_a_key_is_created_read_changed_regenerated_and_deleted(xively: Xively) -> None:
    secret = await made_key(
        xively,
        private_access=True,
        permissions=[{"access_methods": ["GET", "put"], "resources": [{"feed_id": str(feed_id(xively))}]}],
    )  # fmt: skip
    found = (await xively.ask("GET", f"/v2/keys/{secret}", "master")).json()
    assert found == {
        "key": {
            "api_key": secret, "label": "reader", "private_access": True,
            "permissions": [{"access_methods": ["get", "put"], "resources": [{"feed_id": feed_id(xively)}]}],
        }
    }  # fmt: skip
    xively.keys["made"] = secret
    assert (await xively.ask("GET", xively.feed, "made")).status_code == 200
    change = {"key": {"label": "writer", "expires_at": "2030-01-01T00:00:00Z"}}
    assert (await xively.ask("PUT", f"/v2/keys/{secret}", "master", json=change)).content == b""
    after = (await xively.ask("GET", f"/v2/keys/{secret}", "master")).json()["key"]
    assert (after["label"], after["expires_at"]) == ("writer", "2030-01-01T00:00:00.000000Z")
    renewed = await xively.ask("POST", f"/v2/keys/{secret}/regenerate", "master")
    assert (renewed.status_code, renewed.content) == (200, b"")
    assert (await xively.ask("GET", xively.feed, "made")).status_code == 401
    xively.keys["made"] = last_of(renewed.headers["Location"])
    assert (await xively.ask("GET", xively.feed, "made")).status_code == 200
    assert (
        await xively.ask("DELETE", f"/v2/keys/{xively.keys['made']}", "master")
    ).status_code == 200
    assert (await xively.ask("GET", xively.feed, "made")).status_code == 401


async def test_2_3_keys_are_listed_flat_and_by_feed(xively: Xively) -> None:
    secret = await made_key(xively)
    keys = (await xively.ask("GET", "/v2/keys.json", "master")).json()["keys"]
    assert secret in [key["api_key"] for key in keys]
    assert {name for key in keys for name in key} <= {
        "api_key",
        "label",
        "private_access",
        "permissions",
        "expires_at",
    }
    for path in (f"/v2/keys?feed_id={feed_id(xively)}", f"{xively.feed}/keys"):
        of_feed = (await xively.ask("GET", path, "master")).json()["keys"]
        assert [key["api_key"] for key in of_feed] == [xively.keys["device"], xively.keys["read"]]


async def test_2_3_a_key_that_is_no_master_sees_itself_alone(xively: Xively) -> None:
    own = xively.keys["read"]
    assert (await xively.ask("GET", f"/v2/keys/{own}", "read")).json()["key"]["api_key"] == own
    listed = (await xively.ask("GET", "/v2/keys", "read")).json()["keys"]
    assert [key["api_key"] for key in listed] == [own]
    for other in ("master", "device", "bob"):
        assert (
            await xively.ask("GET", f"/v2/keys/{xively.keys[other]}", "read")
        ).status_code == 403
    assert (
        await xively.ask("POST", "/v2/keys", "read", json={"key": READ_ONLY})
    ).status_code == 403
    assert (await xively.ask("DELETE", f"/v2/keys/{own}", "read")).status_code == 403
    assert (await xively.ask("GET", "/v2/keys/unknown", "master")).status_code == 404


async def test_2_3_a_key_without_private_access_grants_none(xively: Xively) -> None:
    plain = await made_key(xively, private_access=True)
    assert plain
    body = {
        "key": {
            **READ_ONLY,
            "permissions": [
                {"access_methods": ["get"], "resources": [{"feed_id": feed_id(xively) + 2}]}
            ],
        }
    }
    foreign = await xively.ask("POST", "/v2/keys", "master", json=body)
    assert (foreign.status_code, "not a feed of this account" in foreign.text) == (422, True)


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ({}, "Label can't be blank"),
        ({"label": "x"}, "Permissions can't be blank"),
        ({"label": "x", "permissions": [{}]}, "access methods can't be blank"),
        ({"label": "x", "permissions": [{"access_methods": ["dance"]}]}, "unknown methods"),
        ({**READ_ONLY, "permissions": [{"access_methods": ["get"], "resources": [{}]}]}, "Must supply at least one of feed_id"),
        ({**READ_ONLY, "permissions": [{"access_methods": ["get"], "resources": []}]}, "leave it out for all"),
        ({**READ_ONLY, "permissions": [{"access_methods": ["get"], "resources": [{"datastream_id": "a"}]}]}, "if we have supplied a datastream_id"),
        ({**READ_ONLY, "expires_at": "soon"}, "xpires"),
    ],
)  # fmt: skip
async def test_2_2_a_bad_key_is_422(xively: Xively, key: dict[str, Any], message: str) -> None:
    refused = await xively.ask("POST", "/v2/keys", "master", json={"key": key})
    assert (refused.status_code, message in refused.text) == (422, True), refused.text


async def test_2_3_keys_in_xml(xively: Xively) -> None:
    listed = fromstring((await xively.ask("GET", "/v2/keys.xml", "master")).content)
    assert (listed.tag, listed.get("type")) == ("keys", "array")
    secret = listed[0].findtext("api-key")
    one = fromstring((await xively.ask("GET", f"/v2/keys/{secret}.xml", "master")).content)
    assert (one.tag, one.findtext("api-key")) == ("key", secret)


# --- 7 products, devices, activation --------------------------------------------------------------

PRODUCT = {
    "name": "Lamp",
    "feed_defaults": {
        "title": "A lamp", "private": "false", "tags": ["light"],
        "datastreams": [{"id": "watts", "unit": {"symbol": "W"}}, {"id": "hours"}],
    },
}  # fmt: skip


async def made_product(xively: Xively) -> str:
    made = await xively.ask("POST", "/v2/products/", "master", json={"product": PRODUCT})
    assert (made.status_code, made.content) == (201, b""), made.text
    return "/v2/products/" + last_of(made.headers["Location"])


async def code_of(xively: Xively, product: str, serial: str) -> str:
    device = (await xively.ask("GET", f"{product}/devices/{serial}", "master")).json()["device"]
    code: str = device["activation_code"]
    return code


async def test_7_1_a_product_is_created_read_changed_listed_and_deleted(xively: Xively) -> None:
    path = await made_product(xively)
    found = (await xively.ask("GET", path, "master")).json()["product"]
    assert (len(found["product_id"]), len(found["secret"]), found["state"]) == (20, 40, "deploy")
    assert (found["devices_count"], found["activated_devices_count"], found["user"]) == (
        0,
        0,
        "alice",
    )
    assert found["feed_defaults"] == PRODUCT["feed_defaults"]
    change = {"product": {"name": "Lantern"}}
    assert (await xively.ask("PUT", path, "master", json=change)).content == b""
    listed = (await xively.ask("GET", "/v2/products", "master")).json()
    assert listed["totalResults"] == 1
    assert [product["name"] for product in listed["products"]] == ["Lantern"]
    assert (await xively.ask("DELETE", path, "master")).status_code == 200
    gone = await xively.ask("GET", path, "master")
    assert (gone.status_code, "find Product with product_id" in gone.text) == (404, True)


async def test_7_2_devices_are_uploaded_listed_renamed_and_deleted(xively: Xively) -> None:
    path = await made_product(xively)
    body = {"devices": [{"serial": "A1"}, {"serial": "A2"}, {"serial": "B:1"}]}
    made = await xively.ask("POST", f"{path}/devices", "master", json=body)
    assert (made.status_code, made.headers["Location"].endswith(f"{path}/devices")) == (201, True)
    listed = (await xively.ask("GET", f"{path}/devices?serial=a&per_page=1", "master")).json()
    assert (listed["totalResults"], listed["itemsPerPage"], listed["startIndex"]) == (2, 1, 1)
    assert [device["serial"] for device in listed["devices"]] == ["A1"]
    before = await code_of(xively, path, "A1")
    renamed = {"device": {"serial": "A9"}}
    assert (
        await xively.ask("PUT", f"{path}/devices/A1", "master", json=renamed)
    ).status_code == 200
    assert await code_of(xively, path, "A9") != before
    assert (await xively.ask("DELETE", f"{path}/devices/A9", "master")).status_code == 200
    assert (await xively.ask("GET", f"{path}/devices/A9", "master")).status_code == 404
    for bad in (
        [{"serial": "ok"}, {"serial": "A2"}],
        [{"serial": "not ok"}],
        [{"serial": "x"}, {"serial": "x"}],
    ):
        refused = await xively.ask("POST", f"{path}/devices", "master", json={"devices": bad})
        assert refused.status_code == 422
    assert (await xively.ask("GET", f"{path}/devices", "master")).json()["totalResults"] == 2


async def test_7_3_a_device_activates_itself_without_a_key_and_once(xively: Xively) -> None:
    path = await made_product(xively)
    await xively.ask("POST", f"{path}/devices", "master", json={"devices": [{"serial": "A1"}]})
    url = f"/v2/devices/{await code_of(xively, path, 'A1')}/activate"
    # A look at the headers, as link checkers take one, must not use the activation up.
    assert (await xively.ask("HEAD", url, "")).status_code == 404
    told = (await xively.ask("GET", url, "")).json()
    assert (set(told), told["datastreams"]) == (
        {"apikey", "feed_id", "datastreams"},
        ["hours", "watts"],
    )
    xively.keys["lamp"] = told["apikey"]
    feed = (await xively.ask("GET", f"/v2/feeds/{told['feed_id']}", "lamp")).json()
    assert (feed["title"], feed["private"], feed["device_serial"]) == ("A lamp", "false", "A1")
    assert feed["product_id"] == last_of(path)
    again = await xively.ask("GET", url, "")
    assert (again.status_code, "This device has already been activated" in again.text) == (
        403,
        True,
    )
    for key in ("lamp", "master"):
        assert (await xively.ask("GET", url, key)).json() == told
    csv = await xively.ask("GET", f"{url}.csv", "lamp")
    assert csv.text == f"{told['apikey']},{told['feed_id']},2,hours,watts"
    assert (await xively.ask("GET", "/v2/devices/0000/activate", "")).status_code == 404
    counted = (await xively.ask("GET", path, "master")).json()["product"]
    assert counted["activated_devices_count"] == 1


@pytest.mark.parametrize("key", ["device", "read", "bob", ""])
async def test_7_products_are_for_master_keys_of_their_account(xively: Xively, key: str) -> None:
    path = await made_product(xively)
    status = 403 if key else 401
    for method, where in (("GET", path), ("DELETE", path), ("GET", f"{path}/devices")):
        assert (await xively.ask(method, where, key)).status_code == status
    made = await xively.ask("POST", "/v2/products", key, json={"product": PRODUCT})
    assert made.status_code == (201 if key == "bob" else status)


# --- 8.1 users ----------------------------------------------------------------------------------


async def test_8_1_users_are_for_admins_and_a_persons_own(xively: Xively) -> None:
    own = (await xively.ask("GET", "/v2/users/alice", "master")).json()["user"]
    assert (own["login"], own["roles"]) == ("alice", ["user"])
    assert (await xively.ask("GET", "/v2/users/bob", "master")).status_code == 403
    assert (await xively.ask("GET", "/v2/users", "master")).status_code == 403
    assert (await xively.ask("GET", "/v2/users", "")).status_code == 401
    body = {"user": {"login": "carol", "password": "correct horse battery"}}
    assert (await xively.ask("POST", "/v2/users", "master", json=body)).status_code == 403


# --- 9.1, 10: pictures are read only ---------------------------------------------------------------


@pytest.mark.usefixtures("with_temp")
async def test_10_a_picture_cannot_be_written(xively: Xively) -> None:
    path = f"{xively.feed}/datastreams/temp.png"
    assert (await xively.ask("PUT", path, content=b"1")).status_code == 406


@pytest.mark.parametrize("path", ["/{id}.json", "/{id}.xml", "/{id}.csv", ".json", ".xml"])
async def test_what_skynets_programs_keep_with_a_device_is_not_shown_and_stays(
    xively: Xively, path: str
) -> None:
    device_id = xively.made.device.device_id
    change = DeviceChange(properties={"colour-of-it": "viridian"})
    await update_device(xively.tank, Caller(xively.alice), device_id, change)
    shown = await xively.ask("GET", f"/v2/feeds{path.format(id=device_id)}", "master")
    assert shown.status_code == 200
    assert "viridian" not in shown.text
    assert "propert" not in shown.text
    body = {"title": "Loft", "properties": {"a": 1}}
    assert (await xively.ask("PUT", xively.feed, json=body)).status_code == 200
    kept = xively.directory.get_device(device_id)
    assert (kept.title, kept.properties) == ("Loft", {"colour-of-it": "viridian"})
