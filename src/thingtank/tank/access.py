"""Who may do what: the one place that answers.

Answers come from memory and never wait. `check_…` raises with the missing right in its message; the
bare question is
`may_…`.
"""

import msgspec

from thingtank.tank.errors import NotAllowed, Unauthenticated
from thingtank.tank.interfaces import Directory
from thingtank.tank.keys import ApiKey, Permission, covers
from thingtank.tank.things import Account, Device


class Caller(msgspec.Struct, frozen=True, gc=False):
    """On whose behalf an action runs.

    Attributes:
        account: the signed-in person, or the key's owner; None for a stranger.
        key: the API key presented; None for a person, whose account decides alone.
        address: the peer's IP address, blank when not from the network.
        referer: host name of the Referer header, blank when there is none.
        is_operator: the instance itself, or who runs its command line: may do everything.
        reads_public: a stranger who is let read public devices all the same.
    """

    account: Account | None = None
    key: ApiKey | None = None
    address: str = ""
    referer: str = ""
    is_operator: bool = False
    reads_public: bool = False


STRANGER = Caller()
OPERATOR = Caller(is_operator=True)


def may_reach(caller: Caller, method: str, device: Device, datastream: str | None = None) -> bool:
    """Answer whether `caller` may `get`, `put`, `post` or `delete` a device or its datastream."""
    if caller.is_operator:
        return True
    account = caller.account
    if account is None:
        return caller.reads_public and method == "get" and not device.private
    if not account.is_active:
        return False
    key = caller.key
    owns = device.account_id == account.account_id
    if key is None:
        return owns or account.is_admin or (method == "get" and not device.private)
    if not owns and (method != "get" or device.private):
        return False
    if device.private and not key.private_access:
        return False
    # Loops, because this runs several times in every request and `any` of a generator costs double.
    for permission in key.permissions:
        if _permits(permission, method, caller, device.device_id, datastream):
            return True
    return False


def _permits(
    permission: Permission, method: str, caller: Caller, device_id: int, datastream: str | None
) -> bool:
    if method not in permission.access_methods or not _from_here(permission, caller):
        return False
    if not permission.resources:
        return True
    for resource in permission.resources:
        if resource.feed_id == device_id and (
            resource.datastream_id is None or resource.datastream_id == datastream
        ):
            return True
    return False


def _from_here(permission: Permission, caller: Caller) -> bool:
    return (not permission.source_ip or permission.source_ip == caller.address) and (
        not permission.referer or permission.referer == caller.referer
    )


def check_reach(caller: Caller, method: str, device: Device, datastream: str | None = None) -> None:
    """Raise unless `caller` may `method` the device.

    Raises:
        Unauthenticated: nobody known.
        NotAllowed: known, but not this.
    """
    if may_reach(caller, method, device, datastream):
        return
    if caller.account is None:
        raise Unauthenticated("an API key or a sign-in is needed")
    what = f"feed {device.device_id}" + (f" datastream {datastream}" if datastream else "")
    who = named(caller, device.account_id)
    raise NotAllowed(f"{who} lacks {method} on {what}{_cause(caller, method, device)}")


def named(caller: Caller, owner_id: int | None = None) -> str:
    """Who somebody known is, in the words of a refusal: `key “Porch”`, `account ann`.

    Args:
        owner_id: the account whose request log will show the words: others' keys are not named
            there, as their labels are for their own accounts only.
    """
    if is_others_key(caller, owner_id):
        assert caller.account is not None, "every key has one"
        return f"a key of account {caller.account.login}"
    if caller.key is not None:
        return f"key “{caller.key.label}”" if caller.key.label else "key"
    return "account" if caller.account is None else f"account {caller.account.login}"


def is_others_key(caller: Caller, owner_id: int | None) -> bool:
    """Whether somebody came by a key, or as a device, of another account than this one."""
    account = caller.account
    is_others = account is not None and owner_id is not None and account.account_id != owner_id
    return is_others and caller.key is not None


def _cause(caller: Caller, method: str, device: Device) -> str:
    """Why a right is missing that somebody may think is there; blank where it is just not given."""
    account, key = caller.account, caller.key
    assert account is not None
    if not account.is_active:
        return ": the account is inactive"
    if device.account_id != account.account_id and (method != "get" or device.private):
        return ", which is another account's"
    if key is None:
        return ""
    if device.private and not key.private_access:
        return ", which is private: the key has no private access"
    for permission in key.permissions:
        if method in permission.access_methods and not _from_here(permission, caller):
            return f": it has it {_place(permission)} only"
    return ""


def _place(permission: Permission) -> str:
    if permission.source_ip:
        return f"from {permission.source_ip}"
    return f"by pages of {permission.referer}"


def check_resolution(
    caller: Caller, interval_s: int, device: Device, datastream: str | None = None
) -> None:
    """Raise unless one of the key's permissions lets it read history this fine.

    Args:
        caller: as `check_reach` has let through.
        datastream: the one that is read; None for all of the device.

    Source: Xively API v2, permission `minimum_interval`.
    """
    if caller.key is None:
        return
    finest = min(
        permission.minimum_interval_s
        for permission in caller.key.permissions
        if _permits(permission, "get", caller, device.device_id, datastream)
    )
    if interval_s < finest:
        raise NotAllowed(f"key may read history every {finest} s at the finest, not {interval_s} s")


class Listing(msgspec.Struct, frozen=True):
    """Which devices a caller's lists may show: those it may `get`.

    Attributes:
        account_id: whose private devices may be among them; None for nobody's.
        device_ids: only these; None for any.
    """

    account_id: int | None
    device_ids: frozenset[int] | None = None


def listing_of(caller: Caller) -> Listing:
    """Which devices a key, or a stranger who may read what is public, may list.

    Raises:
        Unauthenticated, NotAllowed: none at all.
    """
    account = caller.account
    if account is None:
        if not caller.reads_public:
            raise Unauthenticated("an API key or a sign-in is needed")
        return Listing(None)
    if not account.is_active:
        raise Unauthenticated("the account is inactive")
    key = caller.key
    if key is None:
        return Listing(account.account_id)
    reading = [
        permission
        for permission in key.permissions
        if "get" in permission.access_methods and _from_here(permission, caller)
    ]
    if not reading:
        raise NotAllowed(f"{named(caller)} lacks get")
    owner_id = account.account_id if key.private_access else None
    if not all(permission.resources for permission in reading):
        return Listing(owner_id)
    return Listing(
        owner_id,
        frozenset(
            resource.feed_id
            for permission in reading
            for resource in permission.resources
            if resource.datastream_id is None
        ),
    )


def check_operate(caller: Caller) -> None:
    """Raise unless `caller` is the instance itself, or who runs its command line."""
    if not caller.is_operator:
        raise NotAllowed("only the operator of this instance may do that")


def check_create(caller: Caller) -> Account | None:
    """Raise unless `caller` may make devices; return the account that will own them.

    A key needs an unrestricted `post`. The operator owns nothing: None.
    """
    if caller.is_operator:
        return None
    if caller.account is None or not caller.account.is_active:
        raise Unauthenticated("an API key or a sign-in is needed")
    key = caller.key
    if key is not None and not any(
        "post" in permission.access_methods
        and not permission.resources
        and _from_here(permission, caller)
        for permission in key.permissions
    ):
        raise NotAllowed(f"{named(caller)} lacks post on all feeds")
    return caller.account


def check_manage(caller: Caller, account_id: int) -> None:
    """Raise unless `caller` may manage an account's keys: its person, a master key, an admin."""
    if caller.is_operator:
        return
    account = caller.account
    if account is None or not account.is_active:
        raise Unauthenticated("an API key or a sign-in is needed")
    if caller.key is not None:
        if caller.key.is_master and account.account_id == account_id:
            return
        raise NotAllowed("a master key is needed")
    if account.account_id != account_id and not account.is_admin:
        raise NotAllowed(f"account {account.login} may not manage another account's keys")


def may_see_secret(caller: Caller, key: ApiKey) -> bool:
    """Answer whether `caller` may be told a key's secret, and so do all that the key may.

    Its own account's person may; itself; and a master key of the account that covers it. An admin
    may delete another account's keys, but not use them.
    """
    if caller.is_operator:
        return True
    account = caller.account
    if account is None or not account.is_active or account.account_id != key.account_id:
        return False
    own = caller.key
    if own is None or own.key_id == key.key_id:
        return True
    return own.is_master and covers(own, key)


def check_provision(caller: Caller, account_id: int) -> None:
    """Raise unless `caller` may manage an account's products and their devices.

    Its person, a master key, an admin.
    """
    if caller.is_operator:
        return
    account = caller.account
    if account is None or not account.is_active:
        raise Unauthenticated("a master key or a sign-in is needed")
    if caller.key is not None:
        if not caller.key.is_master:
            raise NotAllowed("products need a master key")
        if account.account_id != account_id:
            raise NotAllowed("the key is another account's")
    elif account.account_id != account_id and not account.is_admin:
        raise NotAllowed(f"account {account.login} may not manage another account's products")


def check_administer(caller: Caller) -> None:
    """Raise unless `caller` may manage accounts: an admin, or an admin's master key."""
    if caller.is_operator:
        return
    account = caller.account
    if account is None or not account.is_active:
        raise Unauthenticated("an admin's master key or a sign-in is needed")
    if not account.is_admin:
        raise NotAllowed(f"account {account.login} is no admin")
    if caller.key is not None and not caller.key.is_master:
        raise NotAllowed("an admin's master key is needed")


def caller_of_key(
    directory: Directory, secret: str, now_us: int, address: str = "", referer: str = ""
) -> Caller:
    """Who presents this API key.

    Raises:
        Unauthenticated: nobody knows the key, or it has expired, or its account is inactive.
    """
    key = directory.find_key(secret)
    if key is None:
        raise Unauthenticated("the API key is not known")
    if key.expires_us is not None and key.expires_us <= now_us:
        raise Unauthenticated("the API key has expired")
    account = directory.get_account(key.account_id)
    if not account.is_active:
        raise Unauthenticated("the API key's account is inactive")
    return Caller(account, key, address, referer)
