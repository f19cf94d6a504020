"""What the tank costs a message between devices, beside reading it and writing it to sockets.

The listeners have the message encoded and do nothing more; directory and event log are in memory. The
figures are the best of several rounds: others' load makes them longer, nothing makes them shorter.
"""

import asyncio
import time
from typing import Any

from tests.bench.report import Result

from thingtank.stores.memory_archive import MemoryArchive
from thingtank.stores.memory_directory import MemoryDirectory
from thingtank.tank.access import Caller
from thingtank.tank.actions.devices import create_device
from thingtank.tank.actions.messages import send_message
from thingtank.tank.changes import DeviceChange
from thingtank.tank.messaging.permissions import Party, Policy
from thingtank.tank.messaging.switchboard import Delivery, Kind
from thingtank.tank.tank import Tank
from thingtank.tank.things import Device

SUBSCRIBERS = 5_000
PAYLOAD = {"text": "x" * 64}
MESSAGE_US_MAX = 15.0
DELIVERY_US_MAX = 3.0


class Ear:
    """Takes messages and keeps nothing."""

    def __init__(self) -> None:
        self.heard = 0

    def deliver(self, delivery: Delivery) -> None:
        assert delivery.message is not None
        delivery.message.encoded("modern")
        self.heard += 1


def run(quick: bool) -> list[Result]:
    """Measure messages to one, and broadcasts."""
    return asyncio.run(_measure(5 if quick else 40))


async def _measure(rounds: int) -> list[Result]:
    tank = Tank(MemoryDirectory(), MemoryArchive(), policy=Policy(is_open=True))
    assert isinstance(tank.directory, MemoryDirectory)
    owner = Caller(tank.directory.add_account("ann"))
    devices = [
        (await create_device(tank, owner, DeviceChange(title=f"{number}", private=False))).device
        for number in range(SUBSCRIBERS + 1)
    ]
    sender, recipient, *_ = devices
    (ear,) = _listening(tank, [recipient], recipient, "received")
    direct_us = await _best_us(tank, sender, {"devices": recipient.uuid}, rounds, 1000)
    assert ear.heard == rounds * 1000
    ears = _listening(tank, devices[1:], sender, "broadcast")
    broadcast_us = await _best_us(tank, sender, {"devices": "*"}, rounds, 1)
    assert {each.heard for each in ears} == {rounds}
    each_us = broadcast_us / SUBSCRIBERS
    return [
        Result(
            "SkyNet core: a message from device to device",
            f"≤ {MESSAGE_US_MAX:g} µs",
            direct_us,
            "µs",
            None,
            direct_us <= MESSAGE_US_MAX,
        ),
        Result(
            f"SkyNet core: a broadcast to {SUBSCRIBERS:,} subscribers",
            f"≤ {DELIVERY_US_MAX:g} µs each",
            each_us,
            "µs each",
            None,
            each_us <= DELIVERY_US_MAX,
        ),
    ]


def _listening(tank: Tank, devices: list[Device], to: Device, kind: Kind) -> list[Ear]:
    ears = []
    for device in devices:
        ears.append(Ear())
        tank.messaging.switchboard.add(ears[-1], _party(device), to, (kind,))
    return ears


def _party(device: Device) -> Party:
    return Party(Caller(address="127.0.0.1"), device)


async def _best_us(
    tank: Tank, sender: Device, whom: dict[str, Any], rounds: int, messages: int
) -> float:
    asked, party = {**whom, "payload": PAYLOAD}, _party(sender)
    best_s = float("inf")
    for _ in range(rounds):
        start_s = time.perf_counter()
        for _ in range(messages):
            await send_message(tank, party, asked)
        best_s = min(best_s, time.perf_counter() - start_s)
    return best_s / messages * 1e6
