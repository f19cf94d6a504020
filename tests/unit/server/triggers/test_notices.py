"""What a receiver gets, member by member of the spec's section 6.3."""

import json
from pathlib import Path

from tests.unit.server.triggers.trigger_bench import START_US, Bench, S

from thingtank.tank.access import OPERATOR
from thingtank.tank.actions import triggers as actions
from thingtank.tank.actions.devices import update_device
from thingtank.tank.changes import DeviceChange
from thingtank.tank.events import TriggerFired
from thingtank.tank.outbox import NewDelivery
from thingtank.tank.things import Location
from thingtank.tank.trigger_rules import Firing


async def test_6_3_the_document_has_every_member_receivers_read(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    await bench.start()
    trigger = await bench.make("gt", "20.0")
    await bench.write("19", "-5", "21.50")
    await bench.seen()
    (delivery,) = bench.outbox.deliveries
    body = delivery.body
    assert delivery == NewDelivery(
        trigger.trigger_id, 1001, bench.alice.account_id, "webhook", "http://hook.example/gt", body,
        START_US + 30 * S,
    )  # fmt: skip
    assert b" " not in body.replace(b"up there", b"")
    assert json.loads(body) == {
        "id": trigger.trigger_id,
        "url": f"http://tank.example:8000/v2/triggers/{trigger.trigger_id}",
        "type": "gt",
        "threshold_value": "20.0",
        "timestamp": "2023-11-14T22:13:50.000000Z",
        "environment": {
            "id": 1001,
            "feed": "http://tank.example:8000/v2/feeds/1001",
            "title": "Roof",
            "description": "up there",
            "private": True,
            "location": {"name": "roof", "lat": 52.5, "lon": 13.25, "lng": 13.25},
        },
        "triggering_datastream": {
            "id": "t",
            "url": "http://tank.example:8000/v2/feeds/1001/datastreams/t",
            "at": "2023-11-14T22:13:50.000000Z",
            "value": {
                "value": "21.50",
                "current_value": "21.50",
                "max_value": 21.5,
                "min_value": -5.0,
            },
            "units": {"type": "derivedSI", "symbol": "°C", "label": "Celsius"},
        },
    }
    await bench.stop()


async def test_6_3_what_is_not_known_is_blank_or_absent(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    await bench.start()
    await update_device(
        bench.tank, OPERATOR, 1001, DeviceChange(location=None, description="", private=False)
    )
    await bench.make("live", name="u")
    await bench.write("on", name="u")
    await bench.seen()
    (body,) = bench.bodies
    assert body["threshold_value"] == ""
    assert "debug" not in body
    assert "location" not in body["environment"]
    assert body["environment"]["description"] == ""
    assert body["environment"]["private"] is False
    assert body["triggering_datastream"]["units"] == {"type": None, "symbol": None, "label": None}
    assert body["triggering_datastream"]["value"] == {
        "value": "on", "current_value": "on", "max_value": None, "min_value": None,
    }  # fmt: skip
    await update_device(bench.tank, OPERATOR, 1001, DeviceChange(location=Location("cellar")))
    bench.clock.pass_s(1000)
    await bench.write("off", name="u")
    await bench.seen()
    assert bench.bodies[1]["environment"]["location"] == {"name": "cellar"}
    await bench.stop()


async def test_6_3_a_test_is_marked_and_disturbs_nothing(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    await bench.start()
    trigger = await bench.make("gt", "20", email="ann@example.org")
    await actions.enable_trigger(bench.tank, OPERATOR, trigger.trigger_id, False)
    with bench.tank.bus.listen(TriggerFired) as listener:
        await actions.test_trigger(bench.tank, OPERATOR, trigger.trigger_id)
        await bench.write("5")
        await actions.test_trigger(bench.tank, OPERATOR, trigger.trigger_id)
        events = listener.take_all()
    assert [delivery.channel for delivery in bench.outbox.deliveries] == ["webhook", "email"] * 2
    assert all(delivery.is_test for delivery in bench.outbox.deliveries)
    assert all(body["debug"] is True for body in bench.bodies)
    assert bench.bodies[0]["triggering_datastream"]["at"] == ""
    assert [body["triggering_datastream"]["value"]["value"] for body in bench.bodies[::2]] == [
        "",
        "5",
    ]
    assert isinstance(events[1], TriggerFired)
    assert events[1].is_test
    assert events[1].firing == Firing(bench.clock.us, bench.clock.us, "5")
    assert bench.tank.triggers.get(trigger.trigger_id).notified_us is None
    assert await bench.outbox.place("trigger_tests") == 0
    await bench.stop()
