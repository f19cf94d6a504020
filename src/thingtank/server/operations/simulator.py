"""Operations of the weather simulator: what a command needs to run one."""

import msgspec

from thingtank.server.operations.context import Context
from thingtank.server.operations.shapes import Refused
from thingtank.server.simulator.device import ensure_station_device


class PrepareSimulator(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whose; blank for the instance's owner."""

    owner: str = ""


class SimulatorDevice(msgspec.Struct, frozen=True):
    """Where a simulator writes, and with what.

    Attributes:
        url: of the web port, as this machine reaches it, without a slash at the end.
        history_s: for how long the device has said nothing.
    """

    url: str
    feed_id: int
    api_key: str
    history_s: float


async def prepare(context: Context, asked: PrepareSimulator) -> SimulatorDevice:
    """The account's device for its simulator, made if there is none."""
    if not context.local_url:
        raise Refused("the simulator writes by HTTP, and no web port is open")
    device = await ensure_station_device(context.tank, context.account(asked.owner))
    return SimulatorDevice(context.local_url, device.feed_id, device.api_key, device.history_s)
