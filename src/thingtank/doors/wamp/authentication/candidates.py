"""Whom an authid may turn out to be, and by which secrets that is found out.

| authid | who | secret |
| --- | --- | --- |
| as the settings say | a principal of the settings file | as the settings say |
| a uuid | a device | a key that reaches its feed |
| `key:7` | an API key | the key |
| any other, a login | an account | its password |

An authid that there is not gets the challenge of one that there is, always the same one, and its
answer is found wrong as a wrong secret is: nobody can tell who is known here.
"""

import hashlib
import hmac
import re
import string
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence

from msgspec import Struct

from thingtank.doors.wamp.principals import Principal, Principals
from thingtank.doors.wamp.realm_settings import Method, PrincipalSettings, RealmSettings
from thingtank.net.identity.password_store import (
    PasswordStore,
    SaltedPassword,
    salted_password_of,
)
from thingtank.net.identity.principals import AccountPrincipal, KeyPrincipal, NamedPrincipal
from thingtank.net.identity.secret_sources import SecretSource
from thingtank.tank.access import Caller
from thingtank.tank.errors import NotFound, Unauthenticated
from thingtank.tank.interfaces import Directory
from thingtank.tank.keys import ApiKey
from thingtank.tank.things import Device

BY_SECRET: frozenset[Method] = frozenset({"ticket", "wampcra", "scram", "wamp-scram"})
BY_PASSWORD: frozenset[Method] = frozenset({"ticket", "wampcra", "wamp-scram"})
_KEYS_OF_DEVICE_MAX = 4  # whose proofs are tried; the oldest, so the auto-generated one is there
_SALT_ALPHABET = string.ascii_letters + string.digits  # as Django's, and as many of them
_SALT_CHARS = 22
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_KEY = re.compile(r"key:([1-9]\d{0,17})")


class Known(Struct, frozen=True):
    """One secret by which a candidate may prove itself, and who it then is.

    Attributes:
        principal: None for a secret that nobody has.
        secret: as the client has it; blank where only `salted` is known.
        mark: changes with the secret.
    """

    principal: Principal | None
    secret: str = ""
    salted: SaltedPassword | None = None
    mark: bytes = b""

    def __repr__(self) -> str:
        return f"Known({self.principal!r})"


class Candidate(ABC):
    """Who a client says it is.

    Attributes:
        methods: by which it can prove that.
        is_guessable: its secret was chosen by a person, so wrong ones are counted.
        device: as which it wants to come in; None for all else.
    """

    authprovider = "tank"
    device: Device | None = None
    is_guessable = False

    def __init__(self, authid: str, authrole: str, methods: frozenset[Method]) -> None:
        """One that is not proven yet."""
        self.authid = authid
        self.authrole = authrole
        self.methods = methods

    @abstractmethod
    async def known(self) -> Sequence[Known]:
        """The secrets by which it may prove itself, n >= 1.

        Raises:
            TankError.
        """

    @abstractmethod
    async def check_ticket(self, ticket: str) -> Known | None:
        """Who presents this.

        Raises:
            TankError.
        """


class _KeyCandidate(Candidate):
    """A device or an API key."""

    def __init__(
        self, candidates: "Candidates", authid: str, authrole: str, device: Device | None
    ) -> None:
        super().__init__(authid, authrole, BY_SECRET)
        self._candidates = candidates
        self._directory = candidates.directory
        self.device = device
        self._uuid = "" if _KEY.fullmatch(authid) else authid

    async def known(self) -> Sequence[Known]:
        key_ids = [key.key_id for key in self._keys()]
        # Asked for in any case: what nobody has takes as long as what somebody has.
        secrets = await self._directory.reveal_keys(key_ids or [0])
        found = [
            Known(principal, secret)
            for secret in secrets.values()
            if self._is_alive(principal := KeyPrincipal(secret, self._uuid))
        ]
        return found or [Known(None, self._candidates.nobodys(self.authid))]

    async def check_ticket(self, ticket: str) -> Known | None:
        principal = KeyPrincipal(ticket, self._uuid)
        if not self._is_alive(principal):
            return None
        key = self._directory.find_key(ticket)
        if key is None or not (self._uuid or self.authid == f"key:{key.key_id}"):
            return None
        return Known(principal, ticket)

    def _keys(self) -> list[ApiKey]:
        matched = _KEY.fullmatch(self.authid)
        if matched is not None:
            try:
                return [self._directory.get_key(int(matched[1]))]
            except NotFound:
                return []
        device = self.device
        if device is None:
            return []
        keys = self._directory.keys_of(device.account_id)
        return [key for key in keys if _is_only_for(key, device)][:_KEYS_OF_DEVICE_MAX]

    def _is_alive(self, principal: KeyPrincipal) -> bool:
        try:
            # Without the address, of which permissions ask again at each use.
            self._candidates.principals.caller(principal, "")
        except Unauthenticated:
            return False
        return True


class _AccountCandidate(Candidate):
    """A person with a password, or a login that nobody has."""

    is_guessable = True

    def __init__(
        self, candidates: "Candidates", passwords: PasswordStore, authid: str, authrole: str
    ) -> None:
        super().__init__(authid, authrole, BY_PASSWORD)
        self._candidates = candidates
        self._passwords = passwords

    async def known(self) -> Sequence[Known]:
        password_hash = await self._passwords.find_password_hash(self.authid)
        account = self._candidates.directory.find_account(self.authid)
        salted = salted_password_of(password_hash or "")
        if password_hash is None or salted is None or account is None or not account.is_active:
            digest = self._candidates.digest("password", self.authid)
            salt = _salt_of(self._candidates.digest("salt", self.authid))
            return [Known(None, salted=SaltedPassword(salt, self._passwords.iterations, digest))]
        mark = hashlib.sha256(password_hash.encode()).digest()
        return [Known(AccountPrincipal(account.account_id), salted=salted, mark=mark)]

    async def check_ticket(self, ticket: str) -> Known | None:
        is_right = await self._passwords.check_password(self.authid, ticket)
        (known,) = await self.known()  # also where it is wrong, for the time that it takes
        account = self._candidates.directory.find_account(self.authid)
        if not is_right or account is None or not account.is_active:
            return None
        return Known(AccountPrincipal(account.account_id), mark=known.mark)


class _NamedCandidate(Candidate):
    """A principal of the settings file, or a name that nobody has."""

    authprovider = "static"
    is_guessable = True

    def __init__(self, authid: str, settings: "NamedSecrets", nobodys: str | None) -> None:
        super().__init__(authid, settings.role, settings.methods)
        self._settings = settings
        self._nobodys = nobodys

    async def known(self) -> Sequence[Known]:
        if self._nobodys is not None:
            return [Known(None, self._nobodys)]
        return [Known(self._settings.principal, self._settings.secret)]

    async def check_ticket(self, ticket: str) -> Known | None:
        expected = self._settings.ticket if self._nobodys is None else self._nobodys
        is_right = is_same(ticket, expected) and self._nobodys is None
        return Known(self._settings.principal, ticket) if is_right else None


class NamedSecrets(Struct, frozen=True):
    """A principal of the settings file, its secrets read; blank where it has none."""

    authid: str
    role: str
    principal: NamedPrincipal
    ticket: str = ""
    secret: str = ""

    @property
    def methods(self) -> frozenset[Method]:
        """By which of its secrets it may come in."""
        return frozenset(
            method for method in BY_SECRET if (self.ticket if method == "ticket" else self.secret)
        )

    def __repr__(self) -> str:
        return f"NamedSecrets({self.authid!r})"


class Candidates:
    """Those of one realm."""

    def __init__(
        self,
        settings: RealmSettings,
        directory: Directory,
        principals: Principals,
        passwords: PasswordStore | None,
        secret: bytes,
        environment: Mapping[str, str],
    ) -> None:
        """Read the secrets of the settings.

        Args:
            passwords: None where accounts have none.
            secret: of the instance, from which follows what nobody has.

        Raises:
            UnreadableSecret: it became so after the settings were checked.
        """
        self._settings = settings
        self.directory = directory
        self.principals = principals
        self._passwords = passwords if settings.account_role else None
        self._secret = secret
        self.named = {
            each.authid: _named_secrets(each, environment) for each in settings.principals
        }
        self._shown = [each for each in self.named.values() if each.methods]

    def find(self, authid: str) -> Candidate | None:
        """Whom an authid means, or seems to; None if nobody of its kind is let in here."""
        named = self.named.get(authid)
        if named is not None:
            return _NamedCandidate(authid, named, None)
        if _KEY.fullmatch(authid):
            role = self._settings.key_role
            return _KeyCandidate(self, authid, role, None) if role else None
        if _UUID.fullmatch(authid.lower()):
            return self._device(authid.lower())
        return self._login(authid)

    def of_key(self, secret: str) -> Candidate | None:
        """Who presents a key without saying who it is; None if the key opens nothing."""
        key = self.directory.find_key(secret)
        if key is None or not self._settings.key_role:
            return None
        return _KeyCandidate(self, f"key:{key.key_id}", self._settings.key_role, None)

    def find_caller(self, principal: Principal, address: str) -> Caller | None:
        """On whose behalf a principal acts; None if its rights are gone."""
        try:
            return self.principals.caller(principal, address)
        except Unauthenticated:
            return None

    def digest(self, purpose: str, name: str) -> bytes:
        """32 bytes that nobody can foresee, always the same."""
        message = "\0".join((purpose, self._settings.name, name))
        return hmac.digest(self._secret, message.encode("utf-8", "surrogatepass"), "sha256")

    def nobodys(self, authid: str) -> str:
        """A secret that nobody has."""
        return self.digest("nobody", authid).hex()

    def _device(self, uuid: str) -> Candidate | None:
        role = self._settings.device_role
        device = self.directory.find_device_by_uuid(uuid)
        return _KeyCandidate(self, uuid, role, device) if role else None

    def _login(self, login: str) -> Candidate | None:
        account = self.directory.find_account(login)
        if self._passwords is None or (account is None and self._seems_named(login)):
            if not self._shown:
                return None
            shown = self._shown[self.digest("seems", login)[1] % len(self._shown)]
            return _NamedCandidate(login, shown, self.nobodys(login))
        is_admin = account is not None and account.is_admin
        role = self._settings.role_of_account(is_admin=is_admin)
        return _AccountCandidate(self, self._passwords, login, role)

    def _seems_named(self, login: str) -> bool:
        """Whether a login that there is not looks like a principal of the settings file.

        Some must: else whoever looks like one would be one.
        """
        return bool(self._shown) and self.digest("seems", login)[0] % 2 == 0


def is_same(presented: str, expected: str) -> bool:
    """Compare secrets, which takes the same time for all that have the same length."""
    return hmac.compare_digest(
        presented.encode("utf-8", "surrogatepass"), expected.encode("utf-8", "surrogatepass")
    )


def _salt_of(digest: bytes) -> str:
    """One that looks like Django's."""
    number = int.from_bytes(digest, "big")
    characters = []
    for _ in range(_SALT_CHARS):
        number, remainder = divmod(number, len(_SALT_ALPHABET))
        characters.append(_SALT_ALPHABET[remainder])
    return "".join(characters)


def _named_secrets(settings: PrincipalSettings, environment: Mapping[str, str]) -> NamedSecrets:
    ticket, secret = settings.ticket, settings.secret
    return NamedSecrets(
        settings.authid,
        settings.role,
        NamedPrincipal(settings.account),
        ticket.read(environment) if isinstance(ticket, SecretSource) else "",
        secret.read(environment) if isinstance(secret, SecretSource) else "",
    )


def _is_only_for(key: ApiKey, device: Device) -> bool:
    """Whether a key is the device's own: it names this feed alone."""
    return all(
        permission.resources
        and all(resource.feed_id == device.device_id for resource in permission.resources)
        for permission in key.permissions
    )
