"""The device that an account's simulator writes to: made at its first start, and found again."""

import asyncio
from weakref import WeakKeyDictionary

import msgspec

from thingtank.simulator.mark import MARK, MARKED_AS, is_simulated
from thingtank.simulator.station import HISTORY_S_MAX
from thingtank.simulator.weather import CHANNELS, LATITUDE, LONGITUDE, PLACE
from thingtank.tank.access import Caller
from thingtank.tank.actions.products import develop_device
from thingtank.tank.actions.sending_keys import ensure_sending_key
from thingtank.tank.changes import DeviceChange
from thingtank.tank.tank import Tank
from thingtank.tank.things import Account, Device, Location

TITLE = "Weather simulator"

_DRAFT = DeviceChange(
    title=TITLE,
    description="Weather that the built-in simulator makes up. It writes here through the public"
    " API, with a key of its own, as any device would.",
    tags=("simulated", "weather"),
    location=Location(
        name=PLACE, lat=LATITUDE, lon=LONGITUDE, exposure="outdoor", domain="virtual"
    ),
    properties={MARK: MARKED_AS},
)

# Pages and commands ask at once; who comes second is to find what the first has made.
_turns: WeakKeyDictionary[Tank, asyncio.Lock] = WeakKeyDictionary()


class StationDevice(msgspec.Struct, frozen=True):
    """Where a simulator writes, and with what.

    Attributes:
        history_s: for how long it has said nothing; HISTORY_S_MAX at most.
    """

    feed_id: int
    api_key: str
    history_s: float


async def ensure_station_device(tank: Tank, account: Account) -> StationDevice:
    """The account's device for its simulator, with its key; made if there is none.

    Raises:
        LimitReached, Unauthenticated.
    """
    async with _turns.setdefault(tank, asyncio.Lock()):
        device = await _ensure_device(tank, account)
        revealed = await ensure_sending_key(tank, Caller(account), device)
    return StationDevice(device.device_id, revealed.secret, _silent_s(tank, device))


async def _ensure_device(tank: Tank, account: Account) -> Device:
    def is_its(device: Device) -> bool:
        return device.account_id == account.account_id and is_simulated(device.properties)

    found = await tank.find_devices(is_its, 1)
    if found:
        return found[0]
    return (await develop_device(tank, Caller(account), _DRAFT)).created.device


def _silent_s(tank: Tank, device: Device) -> float:
    """Since when its channels have said nothing, as far as a simulator makes up for it."""
    streams = tank.directory.datastreams(device.device_id)
    newest_us = max(
        (
            at_us
            for channel in CHANNELS
            if channel.name in streams
            and (at_us := tank.archive.current_at_us(streams[channel.name].stream_id)) is not None
        ),
        default=0,
    )
    return min(max(0.0, (tank.clock.now_us() - newest_us) / 1e6), HISTORY_S_MAX)
