"""A device's permission lists as people read and change them: one answer for each area.

See `permissions` for what the lists mean, and under which names programs of three generations have
them.
"""

from collections.abc import Mapping
from typing import Any, Literal

from msgspec import Struct

from thingtank.tank.errors import ValidationFailed
from thingtank.tank.messaging.permissions import (
    EVERYBODY,
    Area,
    blacklist,
    is_version_2,
    list_names,
    version_2_path,
    whitelist,
)
from thingtank.tank.tokens import uuid_problems

UUIDS_MAX = 500

Choice = Literal["usual", "everybody", "nobody", "only", "but"]


class AreaList(Struct, frozen=True):
    """Which other devices may do something with a device.

    Attributes:
        choice: `usual` for what holds without a list; `everybody`; `nobody`; `only` some; `but`
            for what is usual without some, and without who shows no uuid.
        uuids: these, in order; none for the first three.
    """

    choice: Choice
    uuids: tuple[str, ...] = ()


def read_list(properties: Mapping[str, Any], area: Area) -> AreaList:
    """What a device's lists say of an area."""
    allowed = whitelist(properties, area)
    if allowed is not None:
        if EVERYBODY in allowed:
            return AreaList("everybody")
        return AreaList("only", tuple(sorted(allowed))) if allowed else AreaList("nobody")
    denied = blacklist(properties, area)
    if denied is None:
        return AreaList("usual")
    return AreaList("nobody") if EVERYBODY in denied else AreaList("but", tuple(sorted(denied)))


def with_list(properties: Mapping[str, Any], area: Area, wanted: AreaList) -> dict[str, Any]:
    """Properties whose lists say this of an area, and nothing else of it.

    Raises:
        ValidationFailed: too many uuids, or what is none; or a device of version 2 is to have what
            such a device cannot have.
    """
    _check(wanted)
    names = (*list_names(area, "Whitelist"), *list_names(area, "Blacklist"))
    changed = {name: value for name, value in properties.items() if name not in names}
    if is_version_2(properties):
        if wanted.choice in ("usual", "but"):
            problem = "of a device of Meshblu version 2 are everybody, nobody or some"
            raise ValidationFailed([("choice", problem)])
        changed["meshblu"] = _with_version_2(properties["meshblu"], area, _uuids_of(wanted))
    elif wanted.choice == "but":
        changed[list_names(area, "Blacklist")[0]] = list(wanted.uuids)
    elif wanted.choice != "usual":
        changed[list_names(area, "Whitelist")[0]] = _uuids_of(wanted)
    return changed


def _check(wanted: AreaList) -> None:
    count = len(wanted.uuids)
    if count > UUIDS_MAX:
        raise ValidationFailed([("uuids", f"are too many ({count}; maximum is {UUIDS_MAX})")])
    for uuid in wanted.uuids:
        if uuid_problems(uuid):
            raise ValidationFailed([("uuids", f"must be uuids: {uuid[:64]} is none")])


def _uuids_of(wanted: AreaList) -> list[str]:
    return [EVERYBODY] if wanted.choice == "everybody" else list(wanted.uuids)


def _with_version_2(meshblu: Mapping[str, Any], area: Area, uuids: list[str]) -> dict[str, Any]:
    group_name, name = version_2_path(area)
    whitelists = meshblu.get("whitelists")
    whitelists = dict(whitelists) if isinstance(whitelists, dict) else {}
    group = whitelists.get(group_name)
    group = dict(group) if isinstance(group, dict) else {}
    group[name] = [{"uuid": uuid} for uuid in uuids]
    return {**meshblu, "whitelists": {**whitelists, group_name: group}}
