"""The functions of meshblu-http that no other client has, each as its README calls it."""

import base64
from collections.abc import Callable
from typing import Any

import pytest
import requests
from tests.interop.skynet.clients import REFERENCE, Device, Failed, Way, content_of

OpenDevice = Callable[..., Device]
Register = Callable[..., dict[str, Any]]
Call = Callable[..., Any]


@pytest.fixture
def device(open_device: OpenDevice) -> Device:
    return open_device(Way("meshblu-http"))


@pytest.fixture
def call(device: Device) -> Call:
    """Calls a function on the device's connection."""
    return device.call


def test_own_record_is_read_and_searched(device: Device, call: Call, unused: str) -> None:
    device.do("update", properties={"colour": unused, "deep": {"size": 3}})
    assert call("device", device.uuid)["colour"] == unused
    assert [each["uuid"] for each in call("search", {"colour": unused}, {})] == [device.uuid]
    assert call("search", {"colour": f"{unused}-not"}, {}) == []


def test_record_is_changed_by_operators(device: Device, call: Call) -> None:
    call("updateDangerously", device.uuid, {"$set": {"sizes": [1]}, "$inc": {"count": 2}})
    call("updateDangerously", device.uuid, {"$push": {"sizes": 2}, "$inc": {"count": 2}})
    me = device.do("whoami")
    assert (me["sizes"], me["count"]) == ([1, 2], 4)
    found = call("findAndUpdate", device.uuid, {"$set": {"count": 5}})
    assert device.do("whoami")["count"] == 5
    assert found["uuid"] == device.uuid


def test_owned_devices_are_listed(
    device: Device, call: Call, register: Register, unused: str
) -> None:
    owned = register(owner=device.uuid, name=unused)
    register(name=unused)
    answer = call("mydevices", {"name": unused})
    assert [each["uuid"] for each in answer["devices"]] == [owned["uuid"]]


def test_session_tokens_open_the_device_until_they_are_revoked(
    device: Device, call: Call, open_device: OpenDevice
) -> None:
    made = call("generateAndStoreToken", device.uuid)
    tagged = call("generateAndStoreTokenWithOptions", device.uuid, {"tag": "shed"})
    for each in (made, tagged):
        assert each["uuid"] == device.uuid
        open_device(REFERENCE, each)
    call("revokeToken", device.uuid, made["token"])
    call("revokeTokenByQuery", device.uuid, {"tag": "shed"})
    for each in (made, tagged):
        with pytest.raises(Failed):
            open_device(REFERENCE, each)
    assert device.do("whoami")["uuid"] == device.uuid


def test_reset_token_is_the_only_one(device: Device, call: Call, open_device: OpenDevice) -> None:
    old = {"uuid": device.uuid, "token": device.token}
    new = call("resetToken", device.uuid)
    with pytest.raises(Failed):
        open_device(REFERENCE, old)
    open_device(REFERENCE, new)


def test_subscription_that_is_kept_is_listed_works_and_is_deleted(
    device: Device, call: Call, open_device: OpenDevice
) -> None:
    # What a device is subscribed to reaches it wherever it is, here on a socket.
    hearer = open_device(REFERENCE, {"uuid": device.uuid, "token": device.token})
    emitter, third = open_device(REFERENCE), open_device(REFERENCE)
    subscription = {"subscriberUuid": device.uuid, "emitterUuid": emitter.uuid, "type": "broadcast"}
    call("createSubscription", subscription)
    (listed,) = call("subscriptions", device.uuid)
    assert (listed["emitterUuid"], listed["type"]) == (emitter.uuid, "broadcast")
    emitter.send("*", "heard")
    assert content_of(hearer.heard()) == "heard"
    call("deleteSubscription", subscription)
    assert call("subscriptions", device.uuid) == []
    emitter.send("*", "not heard")
    third.send(device.uuid, "last")
    assert content_of(hearer.heard()) == "last"


def test_server_and_credentials_are_asked_after(device: Device, call: Call) -> None:
    assert call("healthcheck") is True
    call("authenticate")
    assert call("publicKey", device.uuid)["publicKey"] is None


def test_credentials_may_come_as_a_bearer_token(device: Device, url: str) -> None:
    # What the option `bearerToken` of its constructor does.
    token = base64.b64encode(f"{device.uuid}:{device.token}".encode()).decode()
    headers = {"Authorization": f"Bearer {token}"}
    answer = requests.get(f"{url}/v2/whoami", headers=headers, timeout=10)
    assert answer.json()["uuid"] == device.uuid


def test_unknown_device_is_an_error_with_a_code(call: Call) -> None:
    with pytest.raises(Failed, match=r"[Nn]ot [Ff]ound|Invalid Response Code 404"):
        call("device", "00000000-0000-4000-8000-000000000000")
