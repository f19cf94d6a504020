"""API keys and what they permit, after Xively's model.

A key holds at least one permission. A request is allowed when any one permission matches method,
address, referer and
resource. A permission without resources reaches all that the key's owner can reach.
"""

import msgspec

ACCESS_METHODS = ("get", "put", "post", "delete")  # read, update, create, delete in the workbench


class Resource(msgspec.Struct, frozen=True, gc=False):
    """A feed with all its datastreams, or one datastream of it."""

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


def key_problems(key: ApiKey) -> list[tuple[str, str]]:
    """What is wrong with a key's content, in Xively's words: (field, message) pairs."""
    problems = []
    if not key.label.strip():
        problems.append(("label", "can't be blank"))
    elif len(key.label) > 255:
        problems.append(("label", "is too long (maximum is 255 characters)"))
    if not key.permissions:
        problems.append(("permissions", "can't be blank"))
    for permission in key.permissions:
        if not permission.access_methods:
            problems.append(("permissions_access_methods", "can't be blank"))
        unknown = set(permission.access_methods) - set(ACCESS_METHODS)
        if unknown:
            problems.append(
                ("permissions_access_methods", f"has unknown methods: {', '.join(sorted(unknown))}")
            )
        if permission.minimum_interval_s < 0:
            problems.append(("permissions_minimum_interval", "must not be negative"))
    return problems
