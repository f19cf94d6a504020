"""Who sends a request: by its headers, by a token among its parameters, or in another's name."""

from collections.abc import Mapping
from typing import Any

from thingtank.doors.skynet.door import SkynetDoor
from thingtank.doors.skynet.rest.error_table import RestRefusal
from thingtank.doors.skynet.rest.replies import answer
from thingtank.doors.skynet.rest.requests import Reading
from thingtank.tank.errors import Unauthenticated
from thingtank.tank.messaging.permissions import Party, may


def sender_of(
    door: SkynetDoor, reading: Reading, parameters: Mapping[str, Any], address: str
) -> Party:
    """On whose behalf a request is.

    Raises:
        Unauthenticated: what it shows opens nothing; or it shows nothing, and strangers are not
            let in.
        RestRefusal: it may not act in the name it asks for.
    """
    route = reading.route
    token = parameters.get("token") if route.takes_token and "token" in parameters else None
    if reading.credentials is None:
        party = _by_parameters(door, reading, parameters, token, address)
        if party is not None:
            return party
        if not reading.lets_in and not route.is_public:
            raise Unauthenticated("unauthorized")
        return door.parties.stranger(address)
    if route.is_public:
        return door.parties.stranger(address)
    party = _by_headers(door, reading, address)
    if isinstance(token, str) and token and reading.path.uuid:
        party = _opening(door, party, reading.path.uuid, token)
    return _in_name(door, party, reading) if reading.acts_as else party


def shows_anything(reading: Reading, parameters: Mapping[str, Any]) -> bool:
    """Whether a request has something by which to know its sender."""
    return reading.credentials is not None or bool(parameters.get("token"))


def _by_parameters(
    door: SkynetDoor, reading: Reading, parameters: Mapping[str, Any], token: Any, address: str
) -> Party | None:
    """A device that is named, with its token; None when none is.

    Source: SkyNet, early 2014: `token` in a form or in the query.
    """
    uuid = reading.path.uuid or parameters.get("uuid")
    if not isinstance(token, str | int) or not isinstance(uuid, str) or not token or not uuid:
        return None
    return door.parties.device(uuid, str(token), address)


def _by_headers(door: SkynetDoor, reading: Reading, address: str) -> Party:
    """Who the headers show, and remembered until anybody's rights change."""
    directory = door.tank.directory
    known = reading.party
    if known is not None and reading.rights_version == directory.rights_version:
        device = known.device
        if device is not None:
            newest = directory.find_device_by_uuid(device.uuid)
            if newest is device:
                return known
            if newest is not None and newest.device_id == device.device_id:
                reading.party = Party(known.caller, newest, token=known.token)
                return reading.party
    credentials = reading.credentials
    assert credentials is not None
    rights_version = directory.rights_version
    if credentials.key:
        return door.parties.key(credentials.key, address)
    party = door.parties.device(credentials.uuid, credentials.token, address)
    if party.token:  # and no key, which may expire
        reading.party, reading.rights_version = party, rights_version
    return party


def _opening(door: SkynetDoor, party: Party, uuid: str, token: str) -> Party:
    """Somebody who has shown the token of the device that it is about, besides its own.

    A wrong one gives no more rights, and takes none: programs send whole records back.
    """
    try:
        return door.parties.opening(party, uuid, token)
    except Unauthenticated:
        return party


def _in_name(door: SkynetDoor, party: Party, reading: Reading) -> Party:
    """Somebody who acts as another device, which has to allow it.

    Source: meshblu-core, header `x-meshblu-as`.
    """
    device = door.tank.directory.find_device_by_uuid(reading.acts_as)
    area, policy = reading.route.area, door.tank.messaging.policy
    if device is None or area is None or not may(party, area, device, policy, in_name=True):
        raise RestRefusal(answer({"error": "Forbidden"}, 403), "may not act in that name")
    return Party(party.caller, device, party.opens_id)
