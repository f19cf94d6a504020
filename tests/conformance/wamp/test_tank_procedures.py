"""All procedures of the tank, called once each and more by clients of every serializer.

Source: the reference page of the WAMP procedures; documents are those of the Xively API v2.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.conformance.wamp.realms import NAMES
from tests.deliveries import NOW as OUTBOX_NOW
from tests.deliveries import outbox_in
from tests.unit.doors.wamp.tank_peer.worlds import AT, TankClient, TankWorld

from thingtank.doors.wamp.tank_peer.procedures import PROCEDURES
from thingtank.tank.outbox import NewDelivery
from thingtank.tank.triggers import TriggerChange

LATER = "2023-11-14T22:13:21.000000Z"
PRODUCT = {"name": "Meter", "feed_defaults": {"datastreams": [{"id": "volts"}]}}
TRIGGER = {
    "stream_id": "humidity",
    "trigger_type": "gt",
    "threshold_value": 50,
    "url": "http://a.example/x",
}


class Journey:
    """Calls by one client, and notes what was called."""

    def __init__(self, client: TankClient, called: set[str]) -> None:
        self._client = client
        self._called = called

    async def __call__(self, name: str, *args: Any, **kwargs: Any) -> Any:
        self._called.add(f"tank.{name}")
        return await self._client.value_of(f"tank.{name}", *args, **kwargs)

    async def error(self, name: str, *args: Any, **kwargs: Any) -> str:
        self._called.add(f"tank.{name}")
        return await self._client.error_of(f"tank.{name}", *args, **kwargs)


@pytest.mark.parametrize("serializer", NAMES)
async def test_every_procedure_does_what_it_says(serializer: str, tmp_path: Path) -> None:
    async with outbox_in(tmp_path) as outbox:
        world = TankWorld(deliveries=outbox)
        called: set[str] = set()

        def join(authid: str) -> Journey:
            return Journey(world.join(authid, serializer), called)

        alice, root = join("alice"), join("root")
        feed_id = await feeds(alice)
        await datastreams_and_datapoints(alice, feed_id)
        await triggers(alice, feed_id)
        await deliveries(world, alice, feed_id)
        await keys(alice, join, feed_id)
        await products_and_devices(alice, join)
        await tokens_and_messages(alice, feed_id)
        await users(root)
        await alice("feeds.delete", feed_id)
        assert await alice.error("feeds.get", feed_id) == "tank.error.no_such_feed"
        assert {procedure.uri for procedure in PROCEDURES} - called == set()


async def feeds(alice: Journey) -> int:
    document = {
        "title": "Roof",
        "private": True,
        "tags": ["b", "a"],
        "location": {"lat": 52.5, "lon": 13.25, "disposition": "fixed"},
        "datastreams": [
            {"id": "temperature", "current_value": "21.50", "at": AT, "unit": {"symbol": "°C"}}
        ],
    }
    made = await alice("feeds.create", document)
    feed_id: int = made["id"]
    found = await alice("feeds.get", feed_id)
    assert found == made
    assert (found["title"], found["private"], found["tags"]) == ("Roof", "true", ["a", "b"])
    assert found["location"]["lat"] == 52.5
    assert found["feed"] == f"http://tank.example/v2/feeds/{feed_id}.json"
    assert found["datastreams"] == [
        {
            "id": "temperature",
            "current_value": "21.50",
            "at": AT,
            "max_value": "21.5",
            "min_value": "21.5",
            "unit": {"symbol": "°C"},
        }
    ]
    changed = await alice("feeds.update", feed_id, {"title": "Loft"}, retention_s=86_400)
    assert (changed["title"], changed["tags"]) == ("Loft", ["a", "b"])
    assert (
        await alice.error("feeds.update", feed_id, {"datastreams": []})
        == "wamp.error.invalid_argument"
    )
    await alice(
        "feeds.write",
        feed_id,
        {"description": "high up", "datastreams": [{"id": "humidity", "current_value": 50}]},
    )
    found = await alice("feeds.get", feed_id, ["humidity", "none"])
    assert [each["id"] for each in found["datastreams"]] == ["humidity"]
    assert found["description"] == "high up"
    listed = await alice(
        "feeds.list",
        "loft",
        tag="a",
        status="live",
        lat=52,
        lon=13,
        distance=100,
        content="summary",
    )
    assert (listed["totalResults"], listed["itemsPerPage"]) == (1, 50)
    assert "datastreams" not in listed["results"][0]
    assert (await alice("feeds.list", page=2, per_page=1))["results"] == []
    assert await alice.error("feeds.list", lat=52) == "wamp.error.invalid_argument"
    return feed_id


async def datastreams_and_datapoints(alice: Journey, feed_id: int) -> None:
    await alice("datastreams.create", feed_id, [{"id": "pressure", "tags": "x,y"}])
    assert (
        await alice.error("datastreams.create", feed_id, [{"id": "pressure"}])
        == "wamp.error.invalid_argument"
    )
    await alice(
        "datastreams.update",
        feed_id,
        "pressure",
        {"unit": {"label": "hPa"}, "current_value": 1013, "at": AT},
    )
    found = await alice("datastreams.get", feed_id, "pressure")
    assert (found["current_value"], found["tags"], found["unit"]) == (
        "1013",
        ["x", "y"],
        {"label": "hPa"},
    )
    listed = await alice("datastreams.list", feed_id)
    assert [each["id"] for each in listed] == ["humidity", "pressure", "temperature"]
    await alice("datapoints.record", feed_id, {"pressure": 1014}, LATER)
    points = [{"value": "1013", "at": AT}, {"value": "1014", "at": LATER}]
    terms = {"start": AT, "end": LATER}
    assert await alice("datapoints.history", feed_id, "pressure", **terms) == points
    await alice("datapoints.update", feed_id, "pressure", AT, "1000")
    assert await alice("datapoints.get", feed_id, "pressure", AT) == {"value": "1000", "at": AT}
    columns = await alice("datapoints.export", feed_id, "pressure")
    assert columns["values"] == ["1000", "1014"]
    await alice("datapoints.delete", feed_id, "pressure", AT)
    assert (
        await alice.error("datapoints.get", feed_id, "pressure", AT)
        == "tank.error.no_such_datapoint"
    )
    await alice("datapoints.delete_range", feed_id, "pressure", start=AT)
    assert await alice("datapoints.history", feed_id, "pressure", **terms) == []
    document = {"pressure": {"at_us": columns["at_us"], "values": columns["values"]}}
    assert await alice("datapoints.import", feed_id, document) == 2
    for broken in (
        {"at_us": [1.5], "values": [1]},
        {"at_us": [1], "values": []},
        {"at_us": [1], "values": [None]},
    ):
        error = await alice.error("datapoints.import", feed_id, {"pressure": broken})
        assert error == "wamp.error.invalid_argument"
    await alice("datastreams.delete", feed_id, "pressure")
    assert (
        await alice.error("datastreams.get", feed_id, "pressure") == "tank.error.no_such_datastream"
    )


async def triggers(alice: Journey, feed_id: int) -> None:
    made = await alice(
        "triggers.create", {**TRIGGER, "environment_id": feed_id}, hold_s=60, clear_value="40"
    )
    trigger_id = made["id"]
    assert await alice("triggers.get", trigger_id) == made
    assert (made["threshold_value"], made["hold_s"], made["clear_value"], made["is_enabled"]) == (
        "50",
        60,
        "40",
        True,
    )
    assert (await alice("triggers.disable", trigger_id))["is_enabled"] is False
    assert (await alice("triggers.enable", trigger_id))["is_enabled"] is True
    changed = await alice("triggers.update", trigger_id, {"threshold_value": "45"}, quiet_s=10)
    assert (changed["threshold_value"], changed["quiet_s"], changed["hold_s"]) == ("45", 10, 60)
    assert await alice("triggers.list", feed_id) == [changed]
    assert await alice("triggers.list", page=2) == []
    tried = await alice(
        "triggers.backtest", feed_id, "humidity", {"trigger_type": "gt", "threshold_value": 1}
    )
    assert [each["value"] for each in tried["firings"]] == ["50"]
    assert (tried["is_complete"], tried["datapoint_count"]) == (True, 1)
    assert (await alice("triggers.backtest_stored", trigger_id, start=AT))["firings"] == []
    assert (
        await alice.error("triggers.test", trigger_id) == "tank.error.unavailable"
    )  # none are at work
    await alice("triggers.delete", trigger_id)
    assert await alice.error("triggers.get", trigger_id) == "tank.error.no_such_trigger"


async def deliveries(world: TankWorld, alice: Journey, feed_id: int) -> None:
    assert world.tank.deliveries is not None
    outbox: Any = world.tank.deliveries
    made = NewDelivery(
        5, feed_id, world.alice.account_id, "webhook", "http://a.example/x", b'{"id":5}', OUTBOX_NOW
    )
    await outbox.record("triggers", 1, {}, [made])
    listed = await alice("deliveries.list", feed=feed_id, state="waiting")
    (row,) = listed["deliveries"]
    assert (row["feed_id"], row["owner"], row["target"], listed["next_before"]) == (
        feed_id,
        "alice",
        made.target,
        None,
    )
    delivery_id = row["delivery_id"]
    found = await alice("deliveries.get", delivery_id)
    assert (found["document"], found["attempts"]) == ('{"id":5}', [])
    assert (await alice("deliveries.cancel", delivery_id))["state"] == "cancelled"
    assert (await alice("deliveries.retry", delivery_id))["state"] == "waiting"
    counts = await alice("deliveries.count", trigger_id=5)
    assert counts == {"waiting": 1, "delivered": 0, "dead": 0, "cancelled": 0}
    assert await alice.error("deliveries.list", user="bob") == "wamp.error.not_authorized"
    assert await alice.error("deliveries.list", user="nobody") == "wamp.error.not_authorized"
    (secret,) = await alice("signing_secrets.list")
    rotated = await alice("signing_secrets.rotate")
    assert (len(rotated), rotated[1]) == (2, secret)


async def keys(alice: Journey, join: Callable[[str], Journey], feed_id: int) -> None:
    (own,) = await alice("keys.list_revealed", feed_id)
    assert own["label"].startswith("Auto-generated")
    permissions = [{"access_methods": ["get"], "resources": [{"feed_id": feed_id}]}]
    made = await alice(
        "keys.create", {"label": "reader", "permissions": permissions, "private_access": True}
    )
    key_id, secret = made["key_id"], made.pop("api_key")
    assert await alice("keys.get", key_id) == made
    assert await alice("keys.reveal", key_id) == secret
    reader = join(f"key:{secret}")
    assert (await reader("feeds.get", feed_id))["id"] == feed_id
    assert await reader.error("keys.reveal", own["key_id"]) == "wamp.error.not_authorized"
    assert await reader.error("keys.list") == "wamp.error.not_authorized"
    assert await reader("keys.list_revealed") == [{**made, "api_key": secret}]
    listed = await alice("keys.list", feed_id, page=2, per_page=1)
    assert (listed["totalResults"], listed["startIndex"], listed["keys"]) == (2, 2, [made])
    assert await alice.error("keys.list", per_page=0) == "wamp.error.invalid_argument"
    assert await join("root")("keys.list", user="alice", feed=feed_id) != []
    assert await join("root").error("keys.list", user="nobody") == "tank.error.no_such_user"
    assert (await alice("keys.update", key_id, {"label": "other"}))["label"] == "other"
    renewed = await alice("keys.regenerate", key_id)
    assert renewed["api_key"] != secret
    assert await reader.error("feeds.get", feed_id) == "wamp.error.authentication_required"
    await alice("keys.delete", key_id)
    assert await alice.error("keys.get", key_id) == "tank.error.no_such_key"


async def products_and_devices(alice: Journey, join: Callable[[str], Journey]) -> None:
    made = await alice("products.create", PRODUCT)
    product_id = made["product_id"]
    assert await alice("products.get", product_id) == made
    assert (await alice("products.list"))["products"] == [made]
    changed = await alice("products.update", product_id, {"description": "meters"})
    assert (changed["description"], changed["name"]) == ("meters", "Meter")
    await alice("products.add_devices", product_id, ["A1", "A2", "A3"])
    listed = await alice("products.list_devices", product_id, activated=False, per_page=2)
    assert (listed["totalResults"], [each["serial"] for each in listed["devices"]]) == (
        3,
        ["A1", "A2"],
    )
    code = listed["devices"][0]["activation_code"]
    stranger = join("stranger")
    assert await stranger("devices.find", code) == {
        "product_name": "Meter", "product_description": "meters", "serial": "A1", "is_activated": False,
    }  # fmt: skip
    activated = await stranger("devices.activate", code)
    assert activated["datastreams"] == ["volts"]
    assert await stranger.error("devices.activate", code) == "tank.error.already_activated"
    assert await stranger.error("devices.activate", "0" * 40) == "tank.error.no_such_device"
    assert (await alice("devices.find", code))["feed_id"] == activated["feed_id"]
    device = join(f"key:{activated['apikey']}")
    await device("datapoints.record", activated["feed_id"], {"volts": 230})
    found = await alice("products.get_device", product_id, "A1")
    assert (found["feed_id"], found["api_key"]) == (activated["feed_id"], activated["apikey"])
    told = await alice("devices.get", activated["feed_id"])
    assert (told["product_id"], told["device_serial"]) == (product_id, "A1")
    assert await alice("devices.get", told["uuid"]) == told
    assert (await alice("products.rename_device", product_id, "A2", "B2"))["serial"] == "B2"
    await alice("products.delete_device", product_id, "B2")
    assert (await alice("products.deactivate_device", product_id, "A1"))["activated_at"] is None
    await alice("products.delete", product_id)
    assert await alice.error("products.get", product_id) == "tank.error.no_such_product"
    created = await alice("devices.create", {"title": "Bench", "datastreams": [{"id": "x"}]})
    assert created["datastreams"] == [{"id": "x"}]
    assert len(created["token"]) == len(created["api_key"]) == 48
    with_value = {"title": "Bench", "datastreams": [{"id": "x", "current_value": 1}]}
    assert await alice.error("devices.create", with_value) == "wamp.error.invalid_argument"
    developed = await alice("devices.develop", {"title": "Try"})
    assert developed["device"]["feed_id"] == developed["feed"]["id"]
    assert developed["product"]["state"] == "develop"


async def tokens_and_messages(alice: Journey, feed_id: int) -> None:
    uuid = (await alice("devices.get", feed_id))["uuid"]
    made = await alice("tokens.create", feed_id, tag="bench")
    assert (len(made["token"]), made["tag"]) == (40, "bench")
    shown = {name: value for name, value in made.items() if name != "token"}
    assert await alice("tokens.list", uuid) == [shown]
    assert await alice("tokens.revoke", feed_id, made["token"]) is True
    assert await alice("tokens.revoke", feed_id, made["token"]) is False
    await alice("tokens.create", feed_id, tag="bench")
    assert await alice("tokens.revoke_some", feed_id, tag="bench") == 1
    assert len(await alice("tokens.reset", feed_id)) == 40
    changed = {"color": "red", "gone": None}
    assert await alice("devices.change", feed_id, changed) == {"color": "red"}
    assert (await alice("devices.properties", uuid))["color"] == "red"
    sent = await alice("messages.send", uuid, {"on": True}, topic="lights", sender=uuid)
    assert sent["receipts"] == [{"devices": uuid, "outcome": "away", "count": 1}]
    assert await alice.error("messages.send", []) == "wamp.error.invalid_argument"


async def users(root: Journey) -> None:
    made = await root(
        "users.create", {"login": "carol", "email": "c@example.org", "password": "long-and-secret"}
    )
    assert (made["login"], made["roles"]) == ("carol", ["user"])
    assert "password" not in made
    assert await root("users.get", "carol") == made
    assert (await root("users.update", "carol", {"about": "knits"}))["about"] == "knits"
    listed = await root("users.list", per_page=2, page=2)
    assert [each["login"] for each in listed["users"]] == ["root", "carol"]
    await root("users.delete", "carol")
    assert await root.error("users.get", "carol") == "tank.error.no_such_user"


async def test_who_may_not_is_refused_by_every_procedure_that_changes_something() -> None:
    """Nothing that changes the tank is open to a stranger, but an activation with its code."""
    world = TankWorld()
    device = await world.make_device(private=False)
    stranger = world.join("stranger")
    feed_id = device.device_id
    asked: dict[str, list[Any]] = {
        "feeds.create": [{"title": "x"}],
        "feeds.write": [feed_id, {"title": "x"}],
        "feeds.update": [feed_id, {"title": "x"}],
        "feeds.delete": [feed_id],
        "datastreams.create": [feed_id, [{"id": "x"}]],
        "datastreams.update": [feed_id, "temperature", {"current_value": 1}],
        "datastreams.delete": [feed_id, "temperature"],
        "datapoints.record": [feed_id, {"temperature": 1}],
        "datapoints.update": [feed_id, "temperature", AT, 1],
        "datapoints.delete": [feed_id, "temperature", AT],
        "datapoints.import": [feed_id, {"temperature": {"at_us": [1], "values": [1]}}],
        "triggers.create": [{**TRIGGER, "environment_id": feed_id}],
        "triggers.list": [],
        "keys.list": [],
        "keys.list_revealed": [],
        "keys.create": [{"label": "x", "permissions": [{"access_methods": ["get"]}]}],
        "products.list": [],
        "products.create": [PRODUCT],
        "devices.create": [{"title": "x"}],
        "devices.develop": [{"title": "x"}],
        "devices.change": [feed_id, {"color": "red"}],
        "tokens.list": [feed_id],
        "tokens.create": [feed_id],
        "tokens.reset": [feed_id],
        "tokens.revoke": [feed_id, "x"],
        "tokens.revoke_some": [feed_id],
        "messages.send": [device.uuid, {"on": True}],
        "users.list": [],
        "users.create": [{"login": "x"}],
        "users.update": ["alice", {"about": "x"}],
        "users.delete": ["alice"],
        "deliveries.list": [],
        "signing_secrets.list": [],
        "signing_secrets.rotate": [],
    }
    errors = {name: await stranger.error_of(f"tank.{name}", *args) for name, args in asked.items()}
    assert set(errors.values()) == {"wamp.error.authentication_required"}, errors


def test_the_trigger_documents_members_are_those_of_a_change() -> None:
    """A member that triggers gain must be given here, too."""
    ours = {"email", "clear_value", "hold_s", "quiet_s", "is_enabled"}
    xivelys = {"kind", "threshold", "url"}
    assert set(TriggerChange.__struct_fields__) == ours | xivelys
