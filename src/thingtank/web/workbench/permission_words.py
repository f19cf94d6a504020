"""Who may do what with a device, in words for people."""

from collections.abc import Callable

import msgspec

from thingtank.tank.messaging.permission_lists import AreaList, read_list
from thingtank.tank.messaging.permissions import AREAS, Area, Policy, is_version_2, owner_of
from thingtank.tank.things import Device

UUIDS_SHOWN_MAX = 3

NameOf = Callable[[str], str]
"""What to call the device with a uuid."""

# What each list is about: its heading, and what it allows.
AREA_WORDS: dict[Area, tuple[str, str]] = {
    "discover": ("See it", "find it and read its properties"),
    "configure": ("Change it", "change its properties and tokens, and delete it"),
    "receive": ("Listen to it", "hear what it broadcasts and its sensor data"),
    "send": ("Send to it", "send messages to it"),
}

CHOICES = [
    ("usual", "As usual"),
    ("everybody", "Everybody"),
    ("nobody", "Nobody"),
    ("only", "Only these"),
    ("but", "As usual, but not these"),
]


class ShownPermission(msgspec.Struct, frozen=True):
    """One of a device's lists.

    Attributes:
        who: may, as it is in force now.
        is_list: because a list says so.
    """

    area: Area
    heading: str
    who: str
    is_list: bool


def shown_permissions(device: Device, policy: Policy, name_of: NameOf) -> list[ShownPermission]:
    """All lists of a device, as they are in force."""
    return [_shown(device, area, policy, name_of) for area in AREAS]


def _shown(device: Device, area: Area, policy: Policy, name_of: NameOf) -> ShownPermission:
    found = read_list(device.properties, area)
    who = who_words(found, usual_words(device, area, policy), name_of)
    return ShownPermission(area, AREA_WORDS[area][0], who, found.choice != "usual")


def who_words(found: AreaList, usual: str, name_of: NameOf) -> str:
    """Who may by a list."""
    match found.choice:
        case "usual":
            return usual
        case "everybody":
            return "Everybody"
        case "nobody":
            return "Nobody else"
        case "only":
            return f"Only {_names(found.uuids, name_of)}"
        case "but":
            without = _names(found.uuids, name_of) or "those that show no uuid"
            return f"{usual}, but not {without}"


def _names(uuids: tuple[str, ...], name_of: NameOf) -> str:
    shown = ", ".join(map(name_of, uuids[:UUIDS_SHOWN_MAX]))
    more = len(uuids) - UUIDS_SHOWN_MAX
    return f"{shown} and {more} more" if more > 0 else shown


def usual_words(device: Device, area: Area, policy: Policy) -> str:
    """Who may where no list says."""
    if device.private or area == "configure":
        return "Nobody else"
    if policy.is_open:
        return "Everybody, also without a token"
    return "Nobody else" if area == "send" else "Every device with a token"


def always_words(device: Device) -> str:
    """Who may everything whatever the lists say."""
    owner = owner_of(device)
    by_owner = f", the device {owner} that owns it," if owner else ""
    return f"The device itself{by_owner} and the account that it belongs to may do everything."


def may_be_usual(device: Device) -> bool:
    """Whether a list may be taken away; Meshblu's version 2 takes none for nobody."""
    return not is_version_2(device.properties)
