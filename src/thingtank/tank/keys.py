"""API keys and what they permit, after Xively's model.

A key holds at least one permission. A request is allowed when any one permission matches method,
address, referer and
resource. A permission without resources reaches all that the key's owner can reach.
"""

import ipaddress
from collections.abc import Iterator

import msgspec
from msgspec import UNSET, UnsetType

from thingtank.tank.things import text_problems

PERMISSIONS_MAX = 100  # of a key; each is looked at in every request
RESOURCES_MAX = 1000  # of a key, over all its permissions
MINIMUM_INTERVAL_S_MAX = 366 * 86_400
ACCESS_METHODS = ("get", "put", "post", "delete")  # read, update, create, delete in the workbench


class Resource(msgspec.Struct, frozen=True, gc=False):
    """A feed with all its datastreams, or one datastream of it.

    Attributes:
        feed_id: 0 when a request named none, which `key_problems` refuses.
    """

    feed_id: int
    datastream_id: str | None = None


class Permission(msgspec.Struct, frozen=True, gc=False):
    """One way in.

    Attributes:
        access_methods: some of ACCESS_METHODS, lower case.
        resources: empty means everything the owner can reach.
        source_ip: the request must come from this address; blank for any.
        referer: the Referer's host must be this one; blank for any.
        minimum_interval_s: finest history resolution that may be asked for; 0 for any.
    """

    access_methods: tuple[str, ...]
    resources: tuple[Resource, ...] = ()
    source_ip: str = ""
    referer: str = ""
    minimum_interval_s: int = 0
    label: str = ""


class ApiKey(msgspec.Struct, frozen=True, gc=False):
    """A key as the tank knows it: everything but the secret itself.

    Attributes:
        key_id: the row's number; 0 before it is stored.
        private_access: may see the owner's private devices.
        expires_us: dead from then on, microseconds since the epoch, UTC; None for never.
    """

    key_id: int
    account_id: int
    label: str
    permissions: tuple[Permission, ...]
    private_access: bool = True
    expires_us: int | None = None
    created_us: int = 0

    @property
    def is_master(self) -> bool:
        """Whether it may do everything its owner may."""
        return self.private_access and any(
            not permission.resources
            and set(permission.access_methods) == set(ACCESS_METHODS)
            and not permission.source_ip
            and not permission.referer
            for permission in self.permissions
        )


class KeyChange(msgspec.Struct, frozen=True):
    """New values for a key; UNSET ones stay."""

    label: str | UnsetType = UNSET
    permissions: tuple[Permission, ...] | UnsetType = UNSET
    private_access: bool | UnsetType = UNSET
    expires_us: int | UnsetType | None = UNSET


def kept_key(key: ApiKey) -> ApiKey:
    """A key as it is stored: methods and hosts in lower case, addresses in their one form."""
    permissions = tuple(_kept_permission(permission) for permission in key.permissions)
    return msgspec.structs.replace(key, label=key.label.strip(), permissions=permissions)


def _kept_permission(permission: Permission) -> Permission:
    asked = list(dict.fromkeys(method.strip().lower() for method in permission.access_methods))
    known = tuple(method for method in ACCESS_METHODS if method in asked)
    unknown = tuple(method for method in asked if method not in ACCESS_METHODS)
    return msgspec.structs.replace(
        permission,
        access_methods=known + unknown,
        resources=tuple(dict.fromkeys(permission.resources)),
        source_ip=_kept_address(permission.source_ip.strip()),
        referer=permission.referer.strip().lower(),
    )


def _kept_address(text: str) -> str:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return text


def key_problems(key: ApiKey) -> list[tuple[str, str]]:
    """What is wrong with a key's content, in Xively's words: (field, message) pairs.

    Source: Xively API v2, keys; xively-rb, key.rb, permission.rb, resource.rb.
    """
    problems = []
    if not key.label.strip():
        problems.append(("label", "can't be blank"))
    problems += text_problems({"label": key.label})
    if not key.permissions:
        problems.append(("permissions", "can't be blank"))
    if len(key.permissions) > PERMISSIONS_MAX:
        return [*problems, ("permissions", f"are too many (maximum is {PERMISSIONS_MAX})")]
    if sum(len(permission.resources) for permission in key.permissions) > RESOURCES_MAX:
        return [*problems, ("resources", f"are too many (maximum is {RESOURCES_MAX})")]
    for permission in key.permissions:
        problems += _permission_problems(permission)
        for resource in permission.resources:
            problems += _resource_problems(resource)
    return list(dict.fromkeys(problems))


def _permission_problems(permission: Permission) -> Iterator[tuple[str, str]]:
    if not permission.access_methods:
        yield "permissions_access_methods", "can't be blank"
    unknown = sorted(set(permission.access_methods) - set(ACCESS_METHODS))
    if unknown:
        shown = ", ".join(method[:20] for method in unknown[:5])
        yield "permissions_access_methods", f"has unknown methods: {shown}"
    if permission.source_ip:
        try:
            ipaddress.ip_address(permission.source_ip)
        except ValueError:
            yield "permissions_source_ip", "is not an IP address"
    if not 0 <= permission.minimum_interval_s <= MINIMUM_INTERVAL_S_MAX:
        bounds = f"must be between 0 and {MINIMUM_INTERVAL_S_MAX} seconds"
        yield "permissions_minimum_interval", bounds
    yield from text_problems(
        {"permissions_referer": permission.referer, "permissions_label": permission.label}
    )


def _resource_problems(resource: Resource) -> Iterator[tuple[str, str]]:
    if resource.feed_id == 0 and resource.datastream_id is None:
        yield (
            "",
            "Must supply at least one of feed_id (optionally with a datastream_id) "
            "or datastream_trigger_id",
        )
    elif resource.feed_id == 0:
        yield "resources_feed_id", "can't be blank if we have supplied a datastream_id"
    elif resource.feed_id < 0:
        yield "resources_feed_id", "is invalid"
    if resource.datastream_id is not None:
        if not resource.datastream_id:
            yield "resources_datastream_id", "can't be blank"
        yield from text_problems({"resources_datastream_id": resource.datastream_id})


def covers(holder: ApiKey, key: ApiKey) -> bool:
    """Whether all that `key` may ever reach, `holder` may reach as well.

    That is: the same things, from the same addresses and pages, as finely, and for as long. It is
    what keeps a key from granting more than it has. It may answer False where several permissions
    of `holder` only together reach as far.
    """
    if key.account_id != holder.account_id or (key.private_access and not holder.private_access):
        return False
    if holder.expires_us is not None and (
        key.expires_us is None or key.expires_us > holder.expires_us
    ):
        return False
    return all(
        any(_allows(held, method, resource, wanted) for held in holder.permissions)
        for wanted in key.permissions
        for method in wanted.access_methods
        for resource in wanted.resources or (None,)
    )


def _allows(held: Permission, method: str, resource: Resource | None, wanted: Permission) -> bool:
    """Whether `held` alone lets pass what `wanted` does with one method and resource."""
    return (
        method in held.access_methods
        and held.source_ip in ("", wanted.source_ip)
        and held.referer in ("", wanted.referer)
        and (method != "get" or held.minimum_interval_s <= wanted.minimum_interval_s)
        and (not held.resources or (resource is not None and _contains(held, resource)))
    )


def _contains(held: Permission, resource: Resource) -> bool:
    return any(
        mine.feed_id == resource.feed_id and mine.datastream_id in (None, resource.datastream_id)
        for mine in held.resources
    )


def named_feeds(key: ApiKey) -> frozenset[int]:
    """The feeds that a key's permissions name; none where it reaches all of its account's."""
    resources = (item for permission in key.permissions for item in permission.resources)
    return frozenset(item.feed_id for item in resources)
