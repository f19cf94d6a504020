"""Who a client has proven to be, and with whose rights it acts in the tank.

A connection or session carries its principal to its end; nothing else remembers it. What it may do
is looked up at each use: a key that is revoked or has expired, an account that is switched off,
opens nothing from that moment.
"""

from collections.abc import Callable
from typing import TypeAlias

from msgspec import Struct

from thingtank.tank.access import Caller, caller_of_key, may_reach
from thingtank.tank.errors import NotFound, Unauthenticated
from thingtank.tank.interfaces import Directory
from thingtank.tank.keys import ACCESS_METHODS, ApiKey, Permission, Resource


class AccountPrincipal(Struct, frozen=True):
    """A person, by password."""

    account_id: int


class KeyPrincipal(Struct, frozen=True):
    """Who holds an API key. The secret is what is looked up, so that a renewed key is another.

    Attributes:
        uuid: of the device that it speaks for, lower case; blank for the key itself.
    """

    secret: str
    uuid: str = ""

    def __repr__(self) -> str:
        return f"KeyPrincipal(uuid={self.uuid!r})"


class DevicePrincipal(Struct, frozen=True):
    """A device that has shown what is its own and no key, such as a certificate.

    Attributes:
        uuid: lower case.
    """

    uuid: str


class TokenPrincipal(Struct, frozen=True):
    """A device that has shown one of its tokens, which is looked up again: it may be revoked.

    Attributes:
        uuid: in any case.
    """

    secret: str
    uuid: str

    def __repr__(self) -> str:
        return f"TokenPrincipal(uuid={self.uuid!r})"


class NamedPrincipal(Struct, frozen=True):
    """A principal of the settings file.

    Attributes:
        account: login of whose rights it has; blank for a stranger's.
    """

    account: str = ""


class Nobody(Struct, frozen=True):
    """An anonymous client."""


TankPrincipal: TypeAlias = (
    AccountPrincipal | KeyPrincipal | DevicePrincipal | TokenPrincipal | NamedPrincipal | Nobody
)


class Callers:
    """Answers on whose behalf principals act now."""

    def __init__(
        self,
        directory: Directory,
        now_us: Callable[[], int],
        *,
        strangers_read_public: bool = False,
    ) -> None:
        """Look rights up in a directory.

        Args:
            now_us: since the epoch, UTC.
            strangers_read_public: whether who has no rights may read public devices all the same.
        """
        self._directory = directory
        self._now_us = now_us
        self._strangers_read_public = strangers_read_public

    def caller(self, principal: TankPrincipal, address: str) -> Caller:
        """On whose behalf a principal acts now.

        Returns:
            A stranger, with its address, for one that has no rights of its own.

        Raises:
            Unauthenticated: it had rights, and they are gone.
        """
        if isinstance(principal, KeyPrincipal):
            return self._key_caller(principal, address)
        if isinstance(principal, AccountPrincipal):
            try:
                account = self._directory.get_account(principal.account_id)
            except NotFound:
                raise Unauthenticated("the account is gone") from None
            return _account_caller(Caller(account, address=address))
        if isinstance(principal, DevicePrincipal | TokenPrincipal):
            return self._device_caller(principal, address)
        if isinstance(principal, NamedPrincipal) and principal.account:
            found = self._directory.find_account(principal.account)
            if found is None:
                raise Unauthenticated(f"there is no account {principal.account}")
            return _account_caller(Caller(found, address=address))
        return Caller(address=address, reads_public=self._strangers_read_public)

    def _key_caller(self, principal: KeyPrincipal, address: str) -> Caller:
        caller = caller_of_key(self._directory, principal.secret, self._now_us(), address)
        if principal.uuid:
            device = self._directory.find_device_by_uuid(principal.uuid)
            if device is None:
                raise Unauthenticated("the device is gone")
            if not any(may_reach(caller, method, device) for method in ACCESS_METHODS):
                raise Unauthenticated("the key does not reach the device any more")
        return caller

    def _device_caller(self, principal: DevicePrincipal | TokenPrincipal, address: str) -> Caller:
        device = self._directory.find_device_by_uuid(principal.uuid)
        if device is None:
            raise Unauthenticated("the device is gone")
        if isinstance(principal, TokenPrincipal) and not self._directory.has_token(
            device.device_id, principal.secret
        ):
            raise Unauthenticated("the token is not valid any more")
        try:
            account = self._directory.get_account(device.account_id)
        except NotFound:
            raise Unauthenticated("the device's account is gone") from None
        # What the key may do that is made with a device; this one is nobody's to use.
        permission = Permission(ACCESS_METHODS, (Resource(device.device_id),))
        key = ApiKey(0, account.account_id, device.title, (permission,))
        return _account_caller(Caller(account, key, address))


def _account_caller(caller: Caller) -> Caller:
    assert caller.account is not None
    if not caller.account.is_active:
        raise Unauthenticated("the account is inactive")
    return caller
