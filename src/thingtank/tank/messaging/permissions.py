"""What a device lets others do with it: discover, configure, receive, send, by lists of uuids.

The lists are properties of the device, of three generations with one meaning. Where there are
several, the first of these counts:

| | discover | configure | receive | send |
| --- | --- | --- | --- | --- |
| `meshblu.whitelists` | discover.view | configure.update | broadcast.sent | message.from |
| since 2015 | discoverWhitelist | configureWhitelist | receiveWhitelist | sendWhitelist |
| 2014 | viewWhitelist | updateWhitelist | readWhitelist | sendWhitelist |

and so with `…Blacklist`, and with `…As…`, which is to do it in the device's name. A list names
uuids, in any case, or `*` for everybody; one that is there and is no list lets nobody.

A device and its owner may everything. Without a list, others may discover and receive what is not
private, send to it if the tank is open (`Policy`), and never configure it or act in its name. Whom
its lists keep from discovering it may not do more without being named for that: they would learn
that it is there.

Source: Meshblu, security (`lib/getAuthorizedDevice`, simple-auth), versions 1.0 to 1.18 and 2.0.
"""

from collections.abc import Mapping
from typing import Any, Literal

from msgspec import Struct

from thingtank.tank.access import Caller, may_reach
from thingtank.tank.errors import NoSuchAccount, NoSuchDevice, NoSuchKey, NotAllowed
from thingtank.tank.interfaces import Directory
from thingtank.tank.things import Device
from thingtank.tank.tokens import uuid_key

Area = Literal["discover", "configure", "receive", "send"]
AREAS: tuple[Area, ...] = ("discover", "configure", "receive", "send")
EVERYBODY = "*"

# Of a person, or a program with a key: what the key must allow.
_METHODS = {"discover": "get", "configure": "put", "receive": "get", "send": "put"}
_ALIASES = {"discover": "view", "configure": "update", "receive": "read", "send": "send"}
_VERSION_2 = {
    "discover": ("discover", "view"),
    "configure": ("configure", "update"),
    "receive": ("broadcast", "sent"),
    "send": ("message", "from"),
}
_VERSION_2_AS = {
    "discover": ("discover", "as"),
    "configure": ("configure", "as"),
    "receive": ("broadcast", "as"),
    "send": ("message", "as"),
}

LIST_NAMES = frozenset(
    f"{name}{suffix}{kind}"
    for name in {*_ALIASES, *_ALIASES.values()}
    for suffix in ("", "As")
    for kind in ("Whitelist", "Blacklist")
)


class Policy(Struct, frozen=True):
    """What holds for the whole tank.

    Attributes:
        is_open: as in 2014: who has no token may register, look and send, and new devices are
            public.
    """

    is_open: bool = False


CLOSED = Policy()


class Party(Struct, frozen=True, gc=False):
    """Who acts: a device, a person or a program with a key, or nobody.

    Attributes:
        caller: with whose rights in the tank; a device has those of its own key.
        device: as whom, as of when it came; look it up anew for what changes.
        opens_id: another device whose token came with the request; 0 for none.
        token: that was shown for `device`, or for the device of `opens_id`; blank for another
            proof, such as a certificate.
    """

    caller: Caller
    device: Device | None = None
    opens_id: int = 0
    token: str = ""

    def __repr__(self) -> str:
        return f"Party(device={self.uuid!r}, opens_id={self.opens_id})"

    @property
    def uuid(self) -> str:
        """The device's; blank for all others."""
        return "" if self.device is None else self.device.uuid

    @property
    def device_id(self) -> int:
        """The device's; 0 for all others."""
        return 0 if self.device is None else self.device.device_id

    def is_of(self, device_id: int) -> bool:
        """Whether it is this device, or has shown its token."""
        return device_id in (self.device_id, self.opens_id)


def owner_of(device: Device) -> str:
    """The uuid of the device that owns it; blank for none."""
    owner = device.properties.get("owner")
    return owner if isinstance(owner, str) else ""


def may(party: Party, area: Area, device: Device, policy: Policy, *, in_name: bool = False) -> bool:
    """Answer whether somebody may do something with a device.

    Args:
        in_name: in its name, as `discoverAs`, `configureAs`, `receiveAs`, `sendAs`.
    """
    if party.is_of(device.device_id) or owns(party, device):
        return True
    caller = party.caller
    if party.device is None and (caller.is_operator or caller.account is not None):
        return may_reach(caller, "put" if in_name else _METHODS[area], device)
    properties = device.properties
    if properties:
        uuid = uuid_key(party.uuid)
        allowed = whitelist(properties, area, in_name=in_name)
        if allowed is not None:
            return EVERYBODY in allowed or (bool(uuid) and uuid in allowed)
        denied = blacklist(properties, area, in_name=in_name)
        if denied is not None and (not uuid or uuid in denied or EVERYBODY in denied):
            return False
    if in_name or area == "configure" or device.private:
        return False
    if area == "send" and not policy.is_open:
        return False
    return area == "discover" or not properties or may(party, "discover", device, policy)


def has_list(device: Device, area: Area) -> bool:
    """Whether a device says by a list who may do something with it."""
    properties = device.properties
    return (
        whitelist(properties, area, in_name=False) is not None
        or blacklist(properties, area, in_name=False) is not None
    )


def check_configure(party: Party, device: Device, policy: Policy) -> None:
    """Raise NotAllowed unless somebody may change a device."""
    if not may(party, "configure", device, policy):
        raise NotAllowed(f"{party.uuid or 'the caller'} may not configure device {device.uuid}")


def still_holds(party: Party, directory: Directory) -> bool:
    """Whether what somebody has shown still opens what it did: device, token, key and account."""
    if not _account_holds(party.caller, directory):
        return False
    device_id = party.opens_id or party.device_id
    if not device_id:
        return True
    try:
        directory.get_device(device_id)
    except NoSuchDevice:
        return False
    return not party.token or directory.has_token(device_id, party.token)


def _account_holds(caller: Caller, directory: Directory) -> bool:
    """Whether a caller's account is active, and its key as it was."""
    account, key = caller.account, caller.key
    if account is None:
        return True
    try:
        if not directory.get_account(account.account_id).is_active:
            return False
        if key is None or not key.key_id:  # a device's own, which is stored nowhere
            return True
        now = directory.get_key(key.key_id)
    except (NoSuchAccount, NoSuchKey):
        return False
    return (now.permissions, now.private_access) == (key.permissions, key.private_access)


def owns(party: Party, device: Device) -> bool:
    """Whether somebody is the device that owns a device."""
    own = party.device
    if own is None or "owner" not in device.properties:
        return False
    return uuid_key(owner_of(device)) == uuid_key(own.uuid)


def whitelist(
    properties: Mapping[str, Any], area: Area, *, in_name: bool = False
) -> frozenset[str] | None:
    """Who alone may do something with a device of these properties, as `uuid_key` has them.

    None where no list says.
    """
    if "meshblu" in properties:
        found = _version_2_list(properties["meshblu"], area, in_name=in_name)
        if found is not None:
            return found
    return _list(properties, area, "AsWhitelist" if in_name else "Whitelist")


def blacklist(
    properties: Mapping[str, Any], area: Area, *, in_name: bool = False
) -> frozenset[str] | None:
    """Who may not; None where no list says. Counts where there is no whitelist."""
    return _list(properties, area, "AsBlacklist" if in_name else "Blacklist")


def list_names(area: Area, suffix: str) -> tuple[str, str]:
    """The names that a list goes by, the one that counts first.

    Args:
        suffix: such as `Whitelist`.
    """
    return area + suffix, _ALIASES[area] + suffix


def version_2_path(area: Area) -> tuple[str, str]:
    """Where a whitelist stands in `meshblu.whitelists` of a device of version 2."""
    return _VERSION_2[area]


def is_version_2(properties: Mapping[str, Any]) -> bool:
    """Whether a device has its whitelists in `meshblu.whitelists`."""
    meshblu = properties.get("meshblu")
    return isinstance(meshblu, dict) and meshblu.get("version") == "2.0.0"


def _list(properties: Mapping[str, Any], area: Area, suffix: str) -> frozenset[str] | None:
    """A list of a device; None where there is none."""
    for name in list_names(area, suffix):
        given = properties.get(name)
        if given is not None:
            is_list = isinstance(given, list | tuple) or given == EVERYBODY
            if suffix.endswith("Blacklist") and not is_list:
                return frozenset({EVERYBODY})
            return _uuids(given)
    return None


def _version_2_list(meshblu: Any, area: Area, *, in_name: bool) -> frozenset[str] | None:
    if not isinstance(meshblu, dict) or meshblu.get("version") != "2.0.0":
        return None
    names = (_VERSION_2_AS if in_name else _VERSION_2)[area]
    given: Any = meshblu.get("whitelists")
    for name in names:
        given = given.get(name) if isinstance(given, dict) else None
    if not isinstance(given, list):
        return frozenset()  # version 2: absent or empty is nobody
    return _uuids([entry.get("uuid") for entry in given if isinstance(entry, dict)])


def _uuids(given: Any) -> frozenset[str]:
    if given == EVERYBODY:
        return frozenset({EVERYBODY})
    if not isinstance(given, list | tuple):
        return frozenset()
    return frozenset(uuid_key(uuid) for uuid in given if isinstance(uuid, str))
