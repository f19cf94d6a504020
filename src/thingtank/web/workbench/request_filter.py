"""Which requests a page shows: what its address asks for, and what its reader may see."""

import asyncio
from collections.abc import Mapping

import msgspec

from thingtank.tank.access import Caller, may_reach
from thingtank.tank.errors import NoSuchDevice
from thingtank.tank.events import RequestServed
from thingtank.tank.request_log import DOORS, LOOKED_AT_MAX
from thingtank.tank.tank import Tank
from thingtank.tank.things import Device
from thingtank.web.workbench.asked import Asked
from thingtank.web.workbench.request_panels import who_of

TEXTS_A_TURN_MAX = 50  # about a millisecond's


class AskedRequests(Asked, frozen=True):
    """What an address asks for; blank for any.

    Attributes:
        device: a feed's number, a uuid, or words of a title.
        door: by its name in the log.
        refused: `yes` for what was refused only.
        key: words of who has asked: a key's label, a device, an account.
        text: that stands in the path, the reason, the request or the answer.
    """

    device: str = ""
    door: str = ""
    refused: str = ""
    key: str = ""
    text: str = ""


def asked_of(terms: Mapping[str, str]) -> AskedRequests:
    """Read an address's query; a door that there is not is any."""
    asked = AskedRequests.of(terms)
    return asked if asked.door in DOORS else msgspec.structs.replace(asked, door="")


class RequestFilter:
    """Says of each request whether somebody wants it and may see it: who may change the device."""

    def __init__(self, tank: Tank, caller: Caller, asked: AskedRequests) -> None:
        self._tank = tank
        self._caller = caller
        self._asked = asked
        self._device = asked.device.casefold()
        self._key = asked.key.casefold()
        self._text = asked.text.casefold()

    async def newest(self, count_max: int) -> list[RequestServed]:
        """The newest that were kept when this was called, newest first.

        Texts of very many take long to look through, so the loop serves others between them.
        """
        log = self._tank.request_log
        if not self._text:
            return log.newest(self._wants_device, self._wants_of_it, count_max)
        kept = log.newest(self._wants_device, self._wants_of_it, LOOKED_AT_MAX)
        found: list[RequestServed] = []
        for start in range(0, len(kept), TEXTS_A_TURN_MAX):
            found += filter(self._has_text, kept[start : start + TEXTS_A_TURN_MAX])
            if len(found) >= count_max:
                break
            await asyncio.sleep(0)
        return found[:count_max]

    def wants(self, served: RequestServed) -> bool:
        """Whether to show it."""
        wants_it = self._wants_of_it(served) and self._wants_device(served.device_id)
        return wants_it and self._has_text(served)

    def _wants_device(self, device_id: int) -> bool:
        try:
            device = self._tank.directory.get_device(device_id)
        except NoSuchDevice:
            return False
        return may_reach(self._caller, "put", device) and self._is_named(device)

    def _wants_of_it(self, served: RequestServed) -> bool:
        """Whether to show it if its device and its text are wanted."""
        asked = self._asked
        if asked.refused and not served.is_refused:
            return False
        if asked.door and served.asked.door != asked.door:
            return False
        return not self._key or self._key in who_of(self._tank, served).casefold()

    def _has_text(self, served: RequestServed) -> bool:
        return not self._text or self._text in _text_of(served)

    def _is_named(self, device: Device) -> bool:
        wanted = self._device
        if not wanted:
            return True
        if wanted in (str(device.device_id), device.uuid.casefold()):
            return True
        return wanted in device.title.casefold()


def _text_of(served: RequestServed) -> str:
    asked = served.asked
    bodies = served.request_body + b"\n" + served.response_body
    texts = (asked.method, asked.path, served.reason, served.outcome, str(served.status))
    return "\n".join((*texts, bodies.decode("utf-8", "replace"))).casefold()
