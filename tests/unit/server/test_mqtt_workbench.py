"""Which addresses of the broker its page tells, and in which order."""

from collections.abc import Iterator
from contextlib import AsyncExitStack

import pytest
from msgspec.structs import replace
from tests.unit.doors.mqtt.houses import House
from tests.unit.doors.mqtt.open_door import OpenDoor

from thingtank.server.config import Config, ServerSettings, WebDoorSettings
from thingtank.server.mqtt_workbench import open_mqtt_workbench
from thingtank.web.workbench import mqtt_broker

SOCKETS = {"wamp": "ws://h:1/ws", "mqtt_websocket": "wss://t/mqtt", "mqtt": "mqtt://h:2"}


@pytest.fixture(autouse=True)
def _detach() -> Iterator[None]:
    yield
    assert mqtt_broker.broker() is None


async def addresses(config: Config, sockets: dict[str, str]) -> list[str] | None:
    opened = OpenDoor(House())
    async with AsyncExitStack() as stack:
        open_mqtt_workbench(config, opened.door, sockets, stack)
        broker = mqtt_broker.broker()
        return None if broker is None else list(broker.addresses.values())


async def test_the_port_of_its_own_comes_first_and_behind_a_proxy_the_web_port() -> None:
    assert await addresses(Config(), SOCKETS) == ["mqtt://h:2", "wss://t/mqtt"]
    config = replace(Config(), web=WebDoorSettings(public_url="https://t"))
    assert await addresses(config, SOCKETS) == ["wss://t/mqtt", "mqtt://h:2"]


async def test_a_door_without_ports_has_no_page() -> None:
    assert await addresses(Config(), {"wamp": "ws://h:1/ws"}) is None


@pytest.mark.parametrize(
    ("host", "rule", "is_open"),
    [
        ("127.0.0.1", "loopback", True),
        ("0.0.0.0", "loopback", False),  # noqa: S104 - compared, not bound
        ("0.0.0.0", "everyone", True),  # noqa: S104 - compared, not bound
        ("127.0.0.1", "nobody", False),
        ("127.0.0.1", "with_key", False),
    ],
)
async def test_programs_to_copy_say_who_they_are_where_they_have_to(
    host: str, rule: str, is_open: bool
) -> None:
    opened = OpenDoor(House(anonymous=rule))
    config = replace(Config(), server=ServerSettings(host=host))
    async with AsyncExitStack() as stack:
        open_mqtt_workbench(config, opened.door, SOCKETS, stack)
        broker = mqtt_broker.broker()
        assert broker is not None
        assert broker.lets_anonymous_in is is_open
