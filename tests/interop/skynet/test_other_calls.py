"""The other functions of meshblu, skynet, meshblu-mqtt and skynet-mqtt, as their READMEs show them."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from tests.interop.skynet.clients import REFERENCE, Device, Failed, Way, content_of

OpenDevice = Callable[..., Device]
Register = Callable[..., dict[str, Any]]
MESHBLU, SKYNET = Way("meshblu"), Way("skynet")
NOBODY = "00000000-0000-4000-8000-000000000000"
on_sockets = pytest.mark.parametrize("way", [MESHBLU, SKYNET], ids=str)


def credentials(device: Device) -> dict[str, str]:
    return {"uuid": device.uuid, "token": device.token}


def test_one_device_is_read_or_nothing_of_it_is_told(
    open_device: OpenDevice, register: Register, unused: str
) -> None:
    device, made = open_device(MESHBLU), register(name=unused)
    assert device.call("device", {"uuid": made["uuid"]})["device"]["name"] == unused
    assert "error" in device.call("device", {"uuid": NOBODY})


def test_claimed_device_is_among_ones_own(
    open_device: OpenDevice, register: Register, unused: str
) -> None:
    device, made = open_device(MESHBLU), register(name=unused)
    assert device.call("mydevices", {"name": unused}).get("devices", []) == []
    assert device.call("claimdevice", {"uuid": made["uuid"]}).get("error") is None
    (own,) = device.call("mydevices", {"name": unused})["devices"]
    assert (own["uuid"], own["owner"]) == (made["uuid"], device.uuid)


def test_tokens_open_a_device_until_they_are_revoked(open_device: OpenDevice) -> None:
    device = open_device(MESHBLU)
    made = device.call("generateAndStoreToken", {"uuid": device.uuid})
    tagged = device.call("generateAndStoreToken", {"uuid": device.uuid, "tag": "shed"})
    for each in (made, tagged):
        open_device(REFERENCE, each)
    device.call("revokeToken", {"uuid": device.uuid, "token": made["token"]})
    device.call("revokeTokenByQuery", {"uuid": device.uuid, "tag": "shed"})
    for each in (made, tagged):
        with pytest.raises(Failed):
            open_device(REFERENCE, each)
    reset = device.call("resetToken", device.uuid)
    open_device(REFERENCE, {"uuid": device.uuid, "token": reset["token"]})
    with pytest.raises(Failed):
        open_device(REFERENCE, credentials(device))


@on_sockets
def test_socket_that_authenticates_as_another_device_hears_for_it(
    way: Way, open_device: OpenDevice, register: Register
) -> None:
    device, other, made = open_device(way), open_device(REFERENCE), register()
    wrong = {"uuid": made["uuid"], "token": "wrong"}
    assert device.call("authenticate", wrong)["authentication"] is False
    right = {"uuid": made["uuid"], "token": made["token"]}
    assert device.call("authenticate", right)["authentication"] is True
    other.send(made["uuid"], "for the second")
    assert content_of(device.heard()) == "for the second"


@on_sockets
def test_log_of_events_shows_what_happened(way: Way, open_device: OpenDevice) -> None:
    device, other = open_device(way), open_device(REFERENCE)
    other.send(device.uuid, "hello")
    device.heard()
    events = device.call("events", credentials(device))["events"]
    messages = [event for event in events if event["eventCode"] == 300]
    assert [message["fromUuid"] for message in messages] == [other.uuid]
    assert device.token not in json.dumps(events)


@on_sockets
def test_plain_text_is_a_message_if_it_is_json(way: Way, open_device: OpenDevice) -> None:
    device, other = open_device(way), open_device(REFERENCE)
    device.say("send", "no JSON, which is nothing")
    device.say("send", json.dumps({"devices": other.uuid, "payload": "plain"}))
    message = other.heard()
    assert (content_of(message), message["fromUuid"]) == ("plain", device.uuid)


@on_sockets
def test_subscriber_with_the_token_hears_what_the_device_hears(
    way: Way, open_device: OpenDevice
) -> None:
    device, watched, other = open_device(way), open_device(REFERENCE), open_device(REFERENCE)
    device.call("subscribe", credentials(watched))
    other.send(watched.uuid, "overheard")
    message = device.heard()
    assert (content_of(message), message["fromUuid"]) == ("overheard", other.uuid)


def test_gateway_answers_what_it_is_asked_to_configure(
    open_device: OpenDevice, register: Register
) -> None:
    gateway, asker = open_device(SKYNET, register(type="gateway")), open_device(SKYNET)
    asked = {**credentials(gateway), "method": "createSubdevice", "type": "x", "options": {}}
    assert asker.call("gatewayConfig", asked) == {"heard": "createSubdevice"}
    assert gateway.heard("config")["method"] == "createSubdevice"


def test_text_broadcasts_reach_subscribers(open_device: OpenDevice) -> None:
    source, hearer = open_device(MESHBLU), open_device(MESHBLU)
    hearer.do("subscribe", uuid=source.uuid)
    source.say("textBroadcast", "zwei, 二")
    assert hearer.heard("tb") == "zwei, 二"


def test_texts_go_over_mqtt(open_device: OpenDevice) -> None:
    source, hearer = open_device(Way("skynet-mqtt")), open_device(Way("skynet-mqtt"))
    hearer.say("subscribeText", source.uuid)
    source.say("textBroadcast", "to all")
    assert hearer.heard("tb") == "to all"
    source.say("directText", {"devices": hearer.uuid, "payload": "to you"})
    assert hearer.heard("tb") == "to you"


def test_tokens_are_made_and_reset_over_mqtt(open_device: OpenDevice) -> None:
    device = open_device(Way("meshblu-mqtt"))
    made = device.call("generateAndStoreToken", {"uuid": device.uuid})
    open_device(REFERENCE, made)
    reset = device.call("resetToken", {"uuid": device.uuid})
    open_device(REFERENCE, reset)
    assert device.call("getPublicKey", {"uuid": device.uuid}).get("publicKey") is None


def test_mqtt_client_is_told_that_it_may_not(open_device: OpenDevice) -> None:
    device = open_device(Way("meshblu-mqtt"))
    with pytest.raises(Failed):
        device.call("generateAndStoreToken", {"uuid": NOBODY})
