"""Register, read, query, change, claim and unregister devices."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple
from uuid import uuid4

from msgspec import UNSET, UnsetType

from thingtank.doors.skynet.door import SkynetDoor
from thingtank.doors.skynet.records import DERIVED, PRIVATE, legacy_record, row_id, sees_all
from thingtank.protocols.skynet.update_operators import BadUpdate, apply_operator, apply_update
from thingtank.tank.access import OPERATOR, check_create
from thingtank.tank.actions.devices import create_device, delete_device
from thingtank.tank.actions.properties import change_properties
from thingtank.tank.changes import DeviceChange
from thingtank.tank.errors import NoSuchDevice, NotAllowed, Unauthenticated, ValidationFailed
from thingtank.tank.kept_messages import keeping_problems
from thingtank.tank.messaging.event_codes import EventCode
from thingtank.tank.messaging.permissions import Party, check_configure, has_list, may, owner_of
from thingtank.tank.things import Device
from thingtank.tank.tokens import uuid_key

_NOT_FREE = DERIVED | {"action"}
_NO_CLAIM = "not authorized to claim this device"


class Registered(NamedTuple):
    """A new device, and its token, which is shown now and never again."""

    device: Device
    token: str


async def register(
    door: SkynetDoor, party: Party, asked: Mapping[str, Any], *, is_legacy: bool
) -> Registered:
    """Make a device.

    Args:
        asked: its properties; `uuid` and `token` where the client chooses them.
        is_legacy: as in early 2014, when reading a device replaced this event in the log.

    Raises:
        Unauthenticated: strangers may not register here.
        NotAllowed: the key may not make devices.
        ValidationFailed, LimitReached, UuidTaken, RateLimited.
    """
    await door.rates.count("queries", party)
    account = party.caller.account
    if account is None and not door.is_open:
        raise Unauthenticated("to register needs a device's uuid and token, or an API key")
    if party.device is None and account is not None:
        check_create(party.caller)
    uuid = _text(asked, "uuid") or str(uuid4())
    properties = {name: value for name, value in asked.items() if name not in _NOT_FREE}
    _check_keeping(properties)
    if party.caller.address:
        properties["ipAddress"] = party.caller.address
    created = await create_device(
        door.tank,
        OPERATOR,
        DeviceChange(
            title=_name(asked) or uuid,
            private=not door.is_open,
            tags=_tags(asked),
            properties=properties,
        ),
        account_id=account.account_id if account else door.account_id,
        uuid=uuid,
        token=_text(asked, "token") or None,
    )
    device = created.device
    own = Party(party.caller, device)
    door.tank.messaging.log(
        EventCode.REGISTERED,
        (device.device_id,),
        _without_secrets(legacy_record(device, door.tank.messaging.presence, own)),
        event_id=row_id(device) if is_legacy else "",
        at_us=device.updated_us,
    )
    return Registered(device, created.token)


async def read(door: SkynetDoor, party: Party, uuid: str, *, is_legacy: bool) -> Device:
    """A device that somebody may discover.

    Raises:
        NoSuchDevice: there is none, or the party may not know of it.
        RateLimited.
    """
    await door.rates.count("queries", party)
    device = visible(door, party, uuid)
    if is_legacy:
        record = legacy_record(device, door.tank.messaging.presence, Party(party.caller))
        door.tank.messaging.log(
            EventCode.READ,
            (device.device_id,),
            _without_secrets(record),
            event_id=row_id(device),
            at_us=device.created_us,
        )
    return device


def visible(door: SkynetDoor, party: Party, uuid: str) -> Device:
    """A device that somebody may discover; raises NoSuchDevice."""
    device = door.tank.directory.find_device_by_uuid(uuid)
    if device is None or not may(party, "discover", device, door.tank.messaging.policy):
        raise NoSuchDevice("Device not found")
    return device


async def query(
    door: SkynetDoor, party: Party, filters: Mapping[str, Any], *, owner: str = ""
) -> list[Device]:
    """Devices that have some properties and that somebody may discover, newest first.

    Args:
        filters: name → value, equal to what stands there or to its text. `online` is about
            presence; `null` and blank mean that there is no such property. What the party is not
            shown of a device is not there, or it would learn it by asking.
        owner: uuid of whose devices alone, itself among them; blank for anybody's. Of whom the
            party is not, only those that it is shown whose they are.

    Raises:
        RateLimited, Overloaded.
    """
    await door.rates.count("queries", party)
    tests = [_test_of(door, party, name, value) for name, value in filters.items()]
    if owner:
        tests.append(_test_of_owner(door, party, owner))
    policy = door.tank.messaging.policy

    def matches(device: Device) -> bool:
        return all(test(device) for test in tests) and may(party, "discover", device, policy)

    found = await door.tank.find_devices(matches, door.settings.results_max)
    if party.device is not None:
        uuids = [device.uuid for device in found[:100]]
        door.tank.messaging.log(EventCode.QUERIED, (party.device_id,), {"devices": uuids})
    return found


def _test_of_owner(door: SkynetDoor, party: Party, owner: str) -> Callable[[Device], bool]:
    key = uuid_key(owner)
    owning = door.tank.directory.find_device_by_uuid(owner)
    is_own = owning is not None and party.is_of(owning.device_id)
    return lambda device: (
        uuid_key(device.uuid) == key
        or (uuid_key(owner_of(device)) == key and (is_own or sees_all(party, device)))
    )


def _test_of(door: SkynetDoor, party: Party, name: str, wanted: Any) -> Callable[[Device], bool]:
    if name == "online":
        is_online = wanted in (True, "true")
        presence = door.tank.messaging.presence
        return lambda device: presence.is_online(device.device_id) == is_online
    if wanted in (None, "", "null"):
        return lambda device: _value(party, device, name) is None
    text = _as_text(wanted)
    return lambda device: _fits(_value(party, device, name), wanted, text)


def _value(party: Party, device: Device, name: str) -> Any:
    if name in PRIVATE and not sees_all(party, device):
        return None
    if name == "uuid":
        return device.uuid
    if name == "name":
        return None if device.title == device.uuid else device.title
    if name == "tags":
        return list(device.tags) or None
    return device.properties.get(name)


def _fits(value: Any, wanted: Any, text: str) -> bool:
    if isinstance(value, list):
        return value == wanted or wanted in value or text in value
    return bool(value == wanted) or (value is not None and _as_text(value) == text)


def _as_text(value: Any) -> str:
    return ("false", "true")[value] if isinstance(value, bool) else str(value)


async def update(door: SkynetDoor, party: Party, uuid: str, asked: Mapping[str, Any]) -> Device:
    """Set some properties of a device; None and blank texts remove.

    Args:
        asked: name → value; `online` is what the device says of its presence. `action` is an
            update operator without its `$`, for all other names.

    Raises:
        NoSuchDevice, NotAllowed, ValidationFailed, RateLimited.
    """
    await door.rates.count("queries", party)
    device = visible(door, party, uuid)
    check_configure(party, device, door.tank.messaging.policy)
    fields = {name: value for name, value in asked.items() if name not in _NOT_FREE}
    action = asked.get("action")

    def change_of(newest: Device) -> DeviceChange:
        properties = dict(newest.properties)
        if isinstance(action, str) and action not in ("", "set"):
            _operate(properties, f"${action}", fields)
        else:
            _set_fields(properties, fields)
        return _change(newest, properties, asked)

    changed = await change_properties(door.tank, party, device.device_id, change_of)
    if "online" in asked:
        door.tank.messaging.presence.claim(changed, is_online=asked["online"] in (True, "true"))
    _log_update(door, changed, {**fields, "uuid": changed.uuid})
    return changed


async def update_by_document(
    door: SkynetDoor, party: Party, uuid: str, document: Mapping[str, Any]
) -> Device:
    """Change a device by an update document (`{"$set": …, "$addToSet": …}`).

    Raises:
        NoSuchDevice, NotAllowed, ValidationFailed, RateLimited.
    """
    await door.rates.count("queries", party)
    device = visible(door, party, uuid)
    check_configure(party, device, door.tank.messaging.policy)

    def change_of(newest: Device) -> DeviceChange:
        before: dict[str, Any] = {**newest.properties, "tags": list(newest.tags)}
        if newest.title != newest.uuid:
            before["name"] = newest.title
        try:
            after = apply_update(before, document)
        except BadUpdate as error:
            raise ValidationFailed([("update", str(error))]) from None
        named = {"name": after.get("name"), "tags": after.get("tags")}
        free = {name: value for name, value in after.items() if name not in _NOT_FREE}
        return _change(newest, free, named)

    changed = await change_properties(door.tank, party, device.device_id, change_of)
    _log_update(door, changed, {"uuid": changed.uuid, "names": sorted(document)[:20]})
    return changed


def _operate(properties: dict[str, Any], operator: str, fields: dict[str, Any]) -> None:
    try:
        apply_operator(properties, operator, fields)
    except BadUpdate as error:
        raise ValidationFailed([("action", str(error))]) from None


def _set_fields(properties: dict[str, Any], fields: Mapping[str, Any]) -> None:
    for name, value in fields.items():
        if value is None or value == "":
            properties.pop(name, None)
        else:
            properties[name] = value


def _change(newest: Device, properties: dict[str, Any], asked: Mapping[str, Any]) -> DeviceChange:
    title: str | UnsetType = UNSET
    if "name" in asked:
        title = _name(asked) or newest.uuid
    _check_keeping(properties)
    return DeviceChange(title=title, tags=_tags(asked), properties=properties)


def _check_keeping(properties: Mapping[str, Any]) -> None:
    if problems := keeping_problems(properties):
        raise ValidationFailed(problems)


def _log_update(door: SkynetDoor, device: Device, body: dict[str, Any]) -> None:
    shown = _without_secrets(body)
    door.tank.messaging.log(EventCode.UPDATED, (device.device_id,), shown, at_us=device.updated_us)


def _without_secrets(body: Mapping[str, Any]) -> dict[str, Any]:
    """What the event log may show: hooks, in `meshblu`, have passwords of other servers."""
    return {name: value for name, value in body.items() if name not in ("token", "meshblu")}


async def claim(door: SkynetDoor, party: Party, uuid: str, name: Any = None) -> Device:
    """Become the owner of a device.

    Of one that the party may configure; or, while the tank is open, of one that is nobody's and at
    the party's own address.

    Raises:
        NoSuchDevice, NotAllowed, RateLimited.
    """
    await door.rates.count("queries", party)
    if party.device is None:
        raise NotAllowed("only a device can claim another")
    device = visible(door, party, uuid)
    claimer = party
    if not may(party, "configure", device, door.tank.messaging.policy):
        if not may_claim(door, party, device):
            raise NotAllowed(_NO_CLAIM)
        party = Party(party.caller, party.device, opens_id=device.device_id)
    asked = {"name": name} if isinstance(name, str) and name else {}

    def change_of(newest: Device) -> DeviceChange:
        # Another may have claimed it meanwhile.
        if not may(claimer, "configure", newest, door.tank.messaging.policy) and owner_of(newest):
            raise NotAllowed(_NO_CLAIM)
        return _change(newest, {**newest.properties, "owner": party.uuid}, asked)

    changed = await change_properties(door.tank, party, device.device_id, change_of)
    _log_update(door, changed, {"uuid": changed.uuid, "owner": party.uuid})
    return changed


def may_claim(door: SkynetDoor, party: Party, device: Device) -> bool:
    """Whether a device is nobody's, names nobody, and is at the very address of who wants it."""
    address = party.caller.address
    return (
        door.is_open
        and not owner_of(device)
        and not has_list(device, "configure")
        and bool(address)
        and device.properties.get("ipAddress") == address
        and may(party, "discover", device, door.tank.messaging.policy)
    )


async def local(door: SkynetDoor, party: Party, *, is_unclaimed: bool) -> list[Device]:
    """Devices at the party's own address that nobody owns, or all of them there.

    Raises:
        RateLimited, Overloaded.
    """
    address = party.caller.address
    # Of who comes from no address none is local: a blank would ask for those that have none either.
    found = await query(door, party, {"ipAddress": address}) if address else []
    return [device for device in found if not is_unclaimed or not owner_of(device)]


async def unregister(door: SkynetDoor, party: Party, uuid: str) -> Device:
    """Delete a device, its datastreams and all that they recorded; return what it was.

    Raises:
        NoSuchDevice, NotAllowed, RateLimited.
    """
    await door.rates.count("queries", party)
    device = visible(door, party, uuid)
    check_configure(party, device, door.tank.messaging.policy)
    await delete_device(door.tank, OPERATOR, device.device_id)
    if party.device is not None and party.device_id != device.device_id:
        door.tank.messaging.log(EventCode.UNREGISTERED, (party.device_id,), {"uuid": device.uuid})
    return device


def _text(asked: Mapping[str, Any], name: str) -> str:
    """A text that a client chose; blank for none. Forms send numbers as text, JSON may not."""
    value = asked.get(name)
    if isinstance(value, bool | list | dict):
        raise ValidationFailed([(name, "must be text")])
    return "" if value is None else str(value)


def _name(asked: Mapping[str, Any]) -> str:
    return _text(asked, "name").strip()


def _tags(asked: Mapping[str, Any]) -> tuple[str, ...] | UnsetType:
    """Tags, which group devices; one text is commas between them."""
    if "tags" not in asked:
        return UNSET
    tags = asked["tags"]
    if tags is None:
        return ()
    if isinstance(tags, str):
        tags = tags.split(",")
    if not isinstance(tags, list) or not all(isinstance(tag, str) for tag in tags):
        raise ValidationFailed([("tags", "must be a list of texts")])
    texts: list[str] = [tag.strip() for tag in tags]
    return tuple(dict.fromkeys(text for text in texts if text))
