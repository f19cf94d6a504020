"""A device as SkyNet shows it: one JSON object of its own properties and what the tank knows.

`name` is the device's title, `tags` its tags; a title that is the uuid is no name. Secrets are
never in a record. Who is not the device or its owner does not see its lists, hooks and owner.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from thingtank.tank.access import may_reach
from thingtank.tank.messaging.permissions import LIST_NAMES, Party, owns
from thingtank.tank.messaging.presence import Connection, Presence
from thingtank.tank.things import Device

# What the tank says itself; a client cannot set it.
DERIVED = frozenset(
    {
        "_id", "uuid", "token", "name", "tags", "timestamp", "online", "onlineSince", "lastOnline",
        "socketid", "socketId", "protocol", "secure", "eventCode", "fromUuid", "api",
    }
)  # fmt: skip
# What is shown to the device and its owner alone.
PRIVATE = LIST_NAMES | {"owner", "meshblu", "keepMessages"}


def row_id(device: Device) -> str:
    """24 hexadecimal digits, as MongoDB's ids were: seconds, then the device's number."""
    seconds = device.created_us // 1_000_000 & 0xFFFFFFFF
    return f"{seconds:08x}{device.device_id:016x}"


def name_of(device: Device) -> str:
    """Its name; blank when nobody has given it one."""
    return "" if device.title == device.uuid else device.title


def iso_time(at_us: int) -> str:
    """An instant as JavaScript writes it, to the millisecond."""
    seconds, micros = divmod(at_us, 1_000_000)
    moment = datetime.fromtimestamp(seconds, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{micros // 1000:03d}Z"


def _plain(device: Device, presence: Presence) -> dict[str, Any]:
    record: dict[str, Any] = dict(device.properties)
    for made_up in DERIVED & record.keys():  # by a door that knows nothing of them
        del record[made_up]
    name = name_of(device)
    if name:
        record = {"name": name, **record}
    if device.tags:
        record["tags"] = list(device.tags)
    record["uuid"] = device.uuid
    record["online"] = presence.is_online(device.device_id)
    connection = _newest_connection(device, presence)
    if connection is not None:
        if connection.address:
            record["ipAddress"] = connection.address
        record["protocol"] = connection.protocol
        if connection.is_secure:
            record["secure"] = True
    return record


def _newest_connection(device: Device, presence: Presence) -> Connection | None:
    visit = presence.visit(device.device_id)
    return None if visit is None else visit.newest


def legacy_record(device: Device, presence: Presence, party: Party) -> dict[str, Any]:
    """A record as SkyNet showed it in early 2014."""
    record = _plain(device, presence)
    if not sees_all(party, device):
        record = _without_private(record)
    record["timestamp"] = device.updated_us // 1000
    record.setdefault("channel", "main")
    record["_id"] = row_id(device)
    connection = _newest_connection(device, presence)
    if connection is not None and sees_all(party, device):
        record["socketId"] = connection.socket_id
    return record


def modern_record(device: Device, presence: Presence, party: Party) -> dict[str, Any]:
    """A record as Meshblu shows it, since the summer of 2014."""
    record = _plain(device, presence)
    if not sees_all(party, device):
        record = _without_private(record)
    record["timestamp"] = iso_time(device.updated_us)
    visit = presence.visit(device.device_id)
    if visit is not None:
        if visit.online_since_us is not None and visit.is_online:
            record["onlineSince"] = iso_time(visit.online_since_us)
        if visit.last_online_us is not None:
            record["lastOnline"] = iso_time(visit.last_online_us)
        connection = visit.newest
        if connection is not None and connection.socket_id and sees_all(party, device):
            record["socketid"] = connection.socket_id
    return record


def sees_all(party: Party, device: Device) -> bool:
    """Whether somebody sees the whole record: the device, its owner, who has its token.

    And whose key or account may change it.
    """
    if party.is_of(device.device_id):
        return True
    if party.device is not None:
        return owns(party, device)
    return may_reach(party.caller, "put", device)


def _without_private(record: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in record.items() if name not in PRIVATE}
