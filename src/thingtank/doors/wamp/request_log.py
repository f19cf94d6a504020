"""Tells the request log what clients of WAMP ask of devices, beside their calls."""

import asyncio

from thingtank.tank.access import Caller, check_reach
from thingtank.tank.errors import TankError
from thingtank.tank.events import Asked, RequestServed
from thingtank.tank.request_log import PATH_CHARS_MAX
from thingtank.tank.tank import Tank
from thingtank.tank.things import Device

DOOR = "wamp"
_ACCEPTED, _UNAUTHENTICATED, _FORBIDDEN = 200, 401, 403
_WRONG = "wrong key for this device"


class WampNoter:
    """One for the door; in the loop's thread."""

    def __init__(self, tank: Tank) -> None:
        self._tank = tank

    def joined(self, device: Device, method: str, address: str, caller: Caller | None) -> None:
        """A session has begun as a device."""
        asked = self._hello(device, method, address)
        self._note_soon(asked, _ACCEPTED, "WELCOME", "", caller)

    def refused(self, device: Device, method: str, address: str, uri: str) -> None:
        """Somebody said that it is a device, and could not prove it."""
        asked = self._hello(device, method, address)
        self._note_soon(asked, _UNAUTHENTICATED, f"ABORT {uri}", _WRONG, None)

    def decided(
        self,
        device: Device,
        action: str,
        uri: str,
        caller: Caller | None,
        error_uri: str,
        reason: str,
    ) -> None:
        """Somebody wants to subscribe to a topic about a device, or publish there.

        Args:
            error_uri: of the ERROR; blank where it may.
            reason: why it may not.
        """
        address = "" if caller is None else caller.address
        asked = Asked(device.device_id, DOOR, action.upper(), uri[:PATH_CHARS_MAX], address)
        status = _FORBIDDEN if error_uri else _ACCEPTED
        outcome = f"ERROR {error_uri}" if error_uri else "SUBSCRIBED"
        self._note_soon(asked, status, outcome, reason, caller)

    def _hello(self, device: Device, method: str, address: str) -> Asked:
        fields = (("authid", device.uuid), ("authmethod", method))
        return Asked(device.device_id, DOOR, "HELLO", device.uuid, address, fields=fields)

    def _note_soon(
        self, asked: Asked, status: int, outcome: str, reason: str, caller: Caller | None
    ) -> None:
        """Note it once the client has its answer, so that the time does not tell who is here."""
        now_us = self._tank.clock.now_us()
        event = RequestServed(now_us, asked, status, 0, reason, caller=caller, outcome=outcome)
        asyncio.get_running_loop().call_soon(self._tank.request_log.note, event)


def why_not(caller: Caller, methods: tuple[str, ...], device: Device, name: str | None) -> str:
    """Which right somebody lacks on a device, or on a datastream of it; blank for none."""
    for method in methods:
        try:
            check_reach(caller, method, device, name)
        except TankError as error:
            return str(error)
    return ""
