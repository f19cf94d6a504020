"""Who comes to the SkyNet door, and with what they prove it."""

from collections.abc import Callable

from thingtank.doors.skynet.errors import TooManyWrongTokens
from thingtank.net.identity.attempts import FORGET_US, Attempts
from thingtank.net.identity.principals import Callers, DevicePrincipal, KeyPrincipal
from thingtank.tank.access import Caller, may_reach
from thingtank.tank.errors import Unauthenticated
from thingtank.tank.interfaces import Directory
from thingtank.tank.keys import ACCESS_METHODS
from thingtank.tank.messaging.permissions import Party
from thingtank.tank.things import Device
from thingtank.tank.tokens import uuid_key

_WRONG = "wrong token or key for this device"  # for the request log; doors have their own words
_FORGET_S = FORGET_US // 1_000_000
_TOO_MANY = f"too many wrong tokens; try again in {_FORGET_S // 60} minutes"


class Parties:
    """Finds out who somebody is. Whoever is wrong too often is not looked at for a while."""

    def __init__(self, directory: Directory, callers: Callers, now_us: Callable[[], int]) -> None:
        """Take a directory.

        Args:
            now_us: of a clock that does not jump.
        """
        self._directory = directory
        self._callers = callers
        self._attempts = Attempts(now_us)

    def stranger(self, address: str) -> Party:
        """Who has shown nothing."""
        return Party(Caller(address=address))

    def device(self, uuid: str, token: str, address: str) -> Party:
        """A device, by its token or by a key that may do everything with it.

        Raises:
            Unauthenticated: there is no such device, or that is not its token; which of them is
                not told.
            TooManyWrongTokens.
        """
        uuid, token = uuid.strip(), token.strip()
        attempts = self._attempts
        name = uuid_key(uuid)
        if attempts.is_name_locked(address, name) or attempts.is_address_locked(address):
            raise TooManyWrongTokens(_TOO_MANY, _FORGET_S)
        device = self._directory.find_device_by_uuid(uuid)
        # All is looked up in either case, so that the time does not tell which.
        is_right = self._directory.has_token(0 if device is None else device.device_id, token)
        if device is not None and is_right:
            caller = self._callers.caller(DevicePrincipal(device.uuid), address)
            return Party(caller, device, token=token)
        holder = self._key_caller(uuid, token, address)
        if device is not None and holder is not None and _does_all(holder, device):
            return Party(holder, device)
        attempts.fail(address, name)
        raise Unauthenticated(_WRONG)

    def _key_caller(self, uuid: str, secret: str, address: str) -> Caller | None:
        try:
            return self._callers.caller(KeyPrincipal(secret, uuid_key(uuid)), address)
        except Unauthenticated:
            return None

    def key(self, secret: str, address: str) -> Party:
        """A program with an API key.

        Raises:
            Unauthenticated.
        """
        return Party(self._callers.caller(KeyPrincipal(secret), address))

    def opening(self, party: Party, uuid: str, token: str) -> Party:
        """Somebody who has shown another device's token besides.

        Raises:
            Unauthenticated: there is no such device, or it is not its token.
            TooManyWrongTokens.
        """
        other = self.device(uuid, token, party.caller.address)
        return Party(party.caller, party.device, opens_id=other.device_id, token=other.token)


def _does_all(caller: Caller, device: Device) -> bool:
    """Whether a key may all that a device may with itself."""
    return all(may_reach(caller, method, device) for method in ACCESS_METHODS)
