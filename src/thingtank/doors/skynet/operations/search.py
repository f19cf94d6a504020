"""Find devices by any question, not by equal properties alone."""

from thingtank.doors.skynet.door import SkynetDoor
from thingtank.doors.skynet.records import modern_record
from thingtank.protocols.skynet.queries import Matches
from thingtank.tank.messaging.permissions import Party, may
from thingtank.tank.things import Device


async def search(door: SkynetDoor, party: Party, fits: Matches) -> list[Device]:
    """Devices whose record, as the party sees it, fits, newest first.

    What it does not see of a device it cannot ask for either, or it would learn it by asking.

    Raises:
        RateLimited, Overloaded.
    """
    await door.rates.count("queries", party)
    tank = door.tank
    policy, presence = tank.messaging.policy, tank.messaging.presence

    def matches(device: Device) -> bool:
        return may(party, "discover", device, policy) and fits(
            modern_record(device, presence, party)
        )

    return await tank.find_devices(matches, door.settings.results_max)
