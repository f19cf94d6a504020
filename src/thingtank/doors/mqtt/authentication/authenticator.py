"""Who CONNECT says is there, and whether it is so.

| user name | password | who |
| --- | --- | --- |
| of a user of the settings | its password, or a certificate of its | the user |
| a uuid | a key that may `put` to it, its token, a certificate with that common name | the device |
| a uuid that a client chose, and no login | the same, but for certificates | the device |
| an API key | any, or none | the key |
| any, or none | an API key | the key |
| a login | the account's password | the account |
| none | none | who the client certificate says; else an anonymous client |

A name that there is not is refused as a wrong password is, after as long a time.

Source: MQTT 5, 3.1.3.5, 3.1.3.6 and 5.4; Xively API v2, MQTT.
"""

import hmac
import os
import re
from collections.abc import Callable, Mapping

from thingtank.doors.mqtt.access.rights import MqttAccess
from thingtank.doors.mqtt.authentication.attempt import ConnectAttempt, Refusal, Refused
from thingtank.doors.mqtt.authentication.enhanced import Exchange
from thingtank.doors.mqtt.authentication.principal import ANONYMOUS, LOCAL, Principal
from thingtank.doors.mqtt.authentication.scram import ScramExchange, ScramSecrets
from thingtank.doors.mqtt.authentication.throttle import WRONG, Throttle
from thingtank.doors.mqtt.authentication.users import User, is_same, users_of
from thingtank.doors.mqtt.settings import MqttSettings
from thingtank.net.identity.certificates import common_name_of, names_of, settled_name
from thingtank.net.identity.client_address import address_of, is_local
from thingtank.net.identity.password_store import PasswordStore
from thingtank.net.identity.principals import (
    AccountPrincipal,
    DevicePrincipal,
    KeyPrincipal,
    NamedPrincipal,
    Nobody,
    TankPrincipal,
    TokenPrincipal,
)
from thingtank.tank.access import may_reach
from thingtank.tank.keys import ApiKey
from thingtank.tank.things import Device

NAME_CHARS_MAX = 1024
PASSWORD_BYTES_MAX = 4096
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_LIKE_A_KEY = re.compile(r"[\w-]{40,}", re.ASCII)  # 48 as a rule; Xively's had 43 to 86
_BAD = Refusal.BAD_USER_NAME_OR_PASSWORD


class MqttAuthenticator:
    """Who clients of the MQTT door are."""

    def __init__(
        self,
        settings: MqttSettings,
        access: MqttAccess,
        passwords: PasswordStore | None,
        secret: bytes,
        now_us: Callable[[], int],
        token_bytes: Callable[[int], bytes] = os.urandom,
        environment: Mapping[str, str] = os.environ,
    ) -> None:
        """Read the settings' secrets.

        Args:
            settings: that `problems_of` finds nothing wrong with.
            passwords: of accounts; None where they have none.
            secret: of the instance, 32 bytes; what is derived of it tells nothing of it.
            now_us: of a clock that does not jump.
            token_bytes: random ones, that nobody can foresee.

        Raises:
            UnreadableSecret: a secret became so after the settings were checked.
        """
        self._settings = settings
        self._access = access
        self._directory = access.directory
        self._passwords = passwords
        self._users = users_of(settings, environment)
        self._certificates = {
            settled_name(name): self._users[user.name]
            for user in settings.users
            for name in user.certificates
        }
        self._throttle = Throttle(now_us)
        own_secret = hmac.digest(secret, b"thingtank mqtt authentication", "sha256")
        self._scram = ScramSecrets(self._users, passwords, self._throttle, own_secret, token_bytes)

    async def authenticate(self, attempt: ConnectAttempt) -> Principal:
        """Find out who somebody is.

        Raises:
            Refused.
        """
        return self.admitted(attempt, await self._principal_of(attempt))

    def exchange(self, attempt: ConnectAttempt, principal: Principal | None = None) -> Exchange:
        """Begin enhanced authentication: of a CONNECT, or anew of who is connected.

        Args:
            principal: who it is already, if it is connected; only the same one may come of it.
        """
        return ScramExchange(self._scram, self, attempt, principal)

    def admitted(self, attempt: ConnectAttempt, principal: Principal) -> Principal:
        """Somebody who has proven who it is, if it may come in.

        Raises:
            Refused: it has no rights any more, or may not use that client id.
        """
        rights = self._access.rights_of(principal)
        if not rights.is_alive():
            raise Refused(Refusal.NOT_AUTHORIZED, "what you came in by is not valid any more")
        if not rights.may_be_client_id(attempt.client_id):
            raise Refused(
                Refusal.CLIENT_IDENTIFIER_NOT_VALID, "you may not use this client identifier"
            )
        return principal

    def of_user(self, attempt: ConnectAttempt, user: User) -> Principal:
        """A user of the settings file, once it is known to be there."""
        return Principal(
            f"user:{user.name}",
            attempt.client_id,
            NamedPrincipal(user.account),
            user_name=user.name,
            address=address_of(attempt.peer),
            client_id_patterns=user.client_ids,
        )

    def of_login(self, attempt: ConnectAttempt, login: str) -> Principal:
        """An account, once its password is known to be right.

        Raises:
            Refused: it is not there any more.
        """
        account = self._directory.find_account(login)
        if account is None or not account.is_active:
            raise Refused(_BAD, WRONG)
        return Principal(
            f"account:{account.account_id}",
            attempt.client_id,
            AccountPrincipal(account.account_id),
            user_name=login,
            address=address_of(attempt.peer),
        )

    async def _principal_of(self, attempt: ConnectAttempt) -> Principal:
        name, password = attempt.user_name or "", attempt.password or b""
        if not name and not password:
            return self._of_certificate(attempt) or self._anonymous(attempt)
        if len(name) > NAME_CHARS_MAX or len(password) > PASSWORD_BYTES_MAX:
            raise Refused(_BAD, WRONG)
        certified = None if password else self._of_certificate(attempt)
        if certified is not None and name in (certified.user_name, certified.device_uuid):
            return certified
        user = self._users.get(name)
        if user is not None:
            return await self._by_password(attempt, user, password)
        text = _text(password)
        if _UUID.fullmatch(name.lower()):
            return await self._device(attempt, name.lower(), text)
        chosen = self._chosen_device(attempt, name, text)
        if chosen is not None:
            return chosen
        for secret in (name, text):
            key = self._directory.find_key(secret) if secret else None
            if key is not None:
                return self._key(attempt, key, secret)
        return await self._account(attempt, name, text)

    def _of_certificate(self, attempt: ConnectAttempt) -> Principal | None:
        """Whom a client certificate names, which the transport has verified."""
        certificate = attempt.certificate
        if certificate is None:
            return None
        for name in names_of(certificate):
            user = self._certificates.get(name)
            if user is not None:
                return self.of_user(attempt, user)
        name = common_name_of(certificate) if self._settings.certificate_names else ""
        if name in self._users:
            return self.of_user(attempt, self._users[name])
        uuid = name.lower()
        if not _UUID.fullmatch(uuid) or self._directory.find_device_by_uuid(uuid) is None:
            return None
        return _of_device(attempt, uuid, DevicePrincipal(uuid))

    def _anonymous(self, attempt: ConnectAttempt) -> Principal:
        rule = self._settings.anonymous
        is_here = is_local(attempt.peer, attempt.headers)
        if rule == "nobody" or (rule == "loopback" and not is_here):
            only = "" if rule == "nobody" else ", but programs of the server's machine"
            raise Refused(Refusal.NOT_AUTHORIZED, f"nobody comes in without a user name{only}")
        return Principal(
            LOCAL if is_here else ANONYMOUS,
            attempt.client_id,
            Nobody(),
            address=address_of(attempt.peer),
            only_with_key=rule == "with_key" and not is_here,
        )

    async def _device(self, attempt: ConnectAttempt, uuid: str, secret: str) -> Principal:
        """By a key that may put to it, or by its token.

        Raises:
            Refused: as soon, and as often, whether there is such a device or not.
        """
        device = self._directory.find_device_by_uuid(uuid)
        found = self._of_device_key(attempt, device, uuid, secret)
        if found is not None:
            return found
        address = address_of(attempt.peer)
        if not secret or self._directory.find_key(secret) is not None:
            raise Refused(_BAD, WRONG)
        async with self._throttle.turn(address, uuid):
            is_right = self._directory.has_token(0 if device is None else device.device_id, secret)
        if device is None or not is_right:
            raise self._throttle.refuse(address, uuid)
        self._throttle.accept(address, uuid)
        return _of_device(attempt, uuid, TokenPrincipal(secret, uuid))

    def _chosen_device(self, attempt: ConnectAttempt, name: str, secret: str) -> Principal | None:
        """By a uuid that its maker chose, which is any word; None where it may be a login.

        Who is wrong is refused as somebody with a login is.
        """
        device = self._directory.find_device_by_uuid(name)
        if device is None or not secret or self._directory.find_account(name) is not None:
            return None
        address, uuid = address_of(attempt.peer), device.uuid
        self._throttle.check_open(address, name)
        found = self._of_device_key(attempt, device, uuid, secret)
        if found is None and self._directory.has_token(device.device_id, secret):
            self._throttle.accept(address, name)
            found = _of_device(attempt, uuid, TokenPrincipal(secret, uuid))
        return found

    def _of_device_key(
        self, attempt: ConnectAttempt, device: Device | None, uuid: str, secret: str
    ) -> Principal | None:
        found = _of_device(attempt, uuid, KeyPrincipal(secret, uuid))
        caller = self._access.rights_of(found).find_caller()
        is_its = device is not None and caller is not None and may_reach(caller, "put", device)
        return found if is_its else None

    def _key(self, attempt: ConnectAttempt, key: ApiKey, secret: str) -> Principal:
        found = Principal(
            f"key:{key.key_id}",
            attempt.client_id,
            KeyPrincipal(secret),
            address=address_of(attempt.peer),
        )
        if not self._access.rights_of(found).is_alive():
            raise Refused(_BAD, "the API key has expired, or its account is inactive")
        return found

    async def _by_password(self, attempt: ConnectAttempt, user: User, password: bytes) -> Principal:
        address = address_of(attempt.peer)
        self._throttle.check_open(address, user.name)
        if user.password and is_same(password, user.password):
            self._throttle.accept(address, user.name)
            return self.of_user(attempt, user)
        if password and self._passwords is not None:
            async with self._throttle.turn(address, user.name):  # as long as for any other name
                await self._passwords.check_password("", _text(password) or "?")
        raise self._throttle.refuse(address, user.name)

    async def _account(self, attempt: ConnectAttempt, login: str, password: str) -> Principal:
        address = address_of(attempt.peer)
        # A device whose key was revoked comes again and again; what cannot be right costs little.
        is_unknown = self._directory.find_account(login) is None
        is_key = _LIKE_A_KEY.fullmatch(login) and is_unknown
        if is_unknown and not is_key and self._settings.unknown_users == "anonymous":
            return self._anonymous(attempt)
        if is_key or not login or not password or self._passwords is None:
            raise Refused(_BAD, WRONG)
        self._throttle.check_open(address, login)
        async with self._throttle.turn(address, login):
            is_right = await self._passwords.check_password(login, password)
        if not is_right:
            raise self._throttle.refuse(address, login)
        found = self.of_login(attempt, login)
        self._throttle.accept(address, login)
        return found


def _of_device(attempt: ConnectAttempt, uuid: str, who: TankPrincipal) -> Principal:
    return Principal(
        f"device:{uuid}",
        attempt.client_id,
        who,
        device_uuid=uuid,
        address=address_of(attempt.peer),
    )


def _text(password: bytes) -> str:
    """A password as text; blank for one that nobody here can have."""
    try:
        return password.decode()
    except UnicodeDecodeError:
        return ""
