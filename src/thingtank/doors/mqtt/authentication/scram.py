"""SCRAM-SHA-256 in CONNECT and AUTH: users of the settings file, and accounts.

    CONNECT   n,,n=lamp,r=CLIENT
    AUTH      r=CLIENTSERVER,s=SALT,i=4096
    AUTH      c=biws,r=CLIENTSERVER,p=PROOF
    CONNACK   v=SIGNATURE

An account's salt and iterations are those of its password's hash. A name that there is not gets
the challenge of one that there is, always the same one, and its proof is found wrong.

Source: MQTT 5, 4.12; RFC 5802; RFC 7677.
"""

import asyncio
import base64
import hashlib
import hmac
import re
import stringprep
import unicodedata
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from msgspec import Struct

from thingtank.doors.mqtt.authentication.attempt import ConnectAttempt, Refusal, Refused
from thingtank.doors.mqtt.authentication.enhanced import Authenticated, Challenge
from thingtank.doors.mqtt.authentication.principal import Principal
from thingtank.doors.mqtt.authentication.throttle import Throttle
from thingtank.doors.mqtt.authentication.users import User
from thingtank.net.identity.client_address import address_of
from thingtank.net.identity.password_store import PasswordStore, salted_password_of
from thingtank.net.identity.scram import server_signature
from thingtank.tank.errors import TankError

if TYPE_CHECKING:
    from thingtank.doors.mqtt.authentication.authenticator import MqttAuthenticator

METHOD = "SCRAM-SHA-256"
ITERATIONS = 4096  # RFC 7677, 4: the least; the server knows these passwords anyhow
DATA_BYTES_MAX = 4096
_NONCE_BYTES = 18
_SALT_BYTES = 16
_SALT_CHARS = 22  # as Django's
_FIRST = re.compile(
    r"(?P<gs2>[ny],(?:a=(?P<authzid>(?:=2C|=3D|[^,=])+))?,)"
    r"(?P<bare>n=(?P<name>(?:=2C|=3D|[^,=])+),r=(?P<nonce>[!-+\--~]{8,256})(?:,.*)?)",
    re.DOTALL,
)
_FINAL = re.compile(
    r"(?P<signed>c=(?P<binding>[A-Za-z0-9+/=]*),r=(?P<nonce>[!-+\--~]+)(?:,[^,]*)*?)"
    r",p=(?P<proof>[A-Za-z0-9+/=]+)"
)


class Salted(Struct, frozen=True):
    """A password as SCRAM knows it.

    Attributes:
        is_of_somebody: false for what stands in for a name that there is not.
    """

    salt: bytes
    iterations: int
    derived: bytes
    user: User | None = None
    is_of_somebody: bool = True

    def __repr__(self) -> str:
        return "Salted(…)"


class ScramSecrets:
    """Finds salted passwords by name."""

    def __init__(
        self,
        users: Mapping[str, User],
        passwords: PasswordStore | None,
        throttle: Throttle,
        secret: bytes,
        token_bytes: Callable[[int], bytes],
    ) -> None:
        """Salt nothing yet.

        Args:
            secret: from which follows what nobody has.
        """
        self.throttle = throttle
        self.token_bytes = token_bytes
        self._users = {name: user for name, user in users.items() if user.password}
        self._passwords = passwords
        self._secret = secret
        self._salted: dict[str, Salted] = {}  # of users

    async def find(self, name: str) -> Salted:
        """What a name's proof is compared with.

        Raises:
            TankError.
        """
        user = self._users.get(name)
        if user is not None:
            salted = self._salted.get(name)
            if salted is None:
                salt = self._digest("salt", name)[:_SALT_BYTES]
                derived = await asyncio.to_thread(_derive, user.password, salt)
                salted = self._salted[name] = Salted(salt, ITERATIONS, derived, user)
            return salted
        if self._passwords is None:
            return self._nobodys_user(name)
        password_hash = await self._passwords.find_password_hash(name)
        found = salted_password_of(password_hash or "")
        if found is not None:
            return Salted(found.salt.encode(), found.iterations, found.derived)
        # Some must look like users of the settings: else whoever looks like one would be one.
        if self._users and self._digest("seems", name)[0] % 2 == 0:
            return self._nobodys_user(name)
        salt = base64.b64encode(self._digest("salt", name), b"AB")[:_SALT_CHARS]
        derived = self._digest("password", name)
        return Salted(salt, self._passwords.iterations, derived, is_of_somebody=False)

    def _nobodys_user(self, name: str) -> Salted:
        salt = self._digest("salt", name)[:_SALT_BYTES]
        return Salted(salt, ITERATIONS, self._digest("password", name), is_of_somebody=False)

    def _digest(self, purpose: str, name: str) -> bytes:
        message = f"{purpose}\0{name}".encode("utf-8", "surrogatepass")
        return hmac.digest(self._secret, message, "sha256")


class ScramExchange:
    """One run. Implements `Exchange`."""

    def __init__(
        self,
        secrets: ScramSecrets,
        authenticator: "MqttAuthenticator",
        attempt: ConnectAttempt,
        before: Principal | None,
    ) -> None:
        """Nothing is said yet.

        Args:
            before: who is connected already; None for a CONNECT.
        """
        self._secrets = secrets
        self._authenticator = authenticator
        self._attempt = attempt
        self._before = before
        self._address = address_of(attempt.peer)
        self._name = ""
        self._expected: Salted | None = None
        self._said = ("", "", "")  # gs2 header, client-first-bare, server-first
        self._nonce = ""

    async def begin(self, method: str, data: bytes) -> Challenge | Authenticated:
        """Take the client's first message.

        Raises:
            Refused.
        """
        if method != METHOD:
            raise Refused(
                Refusal.BAD_AUTHENTICATION_METHOD, f"the method that is offered is {METHOD}"
            )
        matched = _FIRST.fullmatch(_text(data))
        if matched is None:
            raise self._malformed()
        name = _settled(matched["name"].replace("=2C", ",").replace("=3D", "="))
        authzid = matched["authzid"]
        if name is None or (authzid is not None and authzid != matched["name"]):
            raise self._malformed()
        if self._attempt.user_name not in (None, "", name):
            raise Refused(Refusal.BAD_USER_NAME_OR_PASSWORD, "two names say who you are")
        self._secrets.throttle.check_open(self._address, name)
        self._name = name
        try:
            self._expected = await self._secrets.find(name)
        except TankError as error:
            raise Refused(Refusal.SERVER_UNAVAILABLE, str(error)) from error
        own = base64.b64encode(self._secrets.token_bytes(_NONCE_BYTES)).decode()
        self._nonce = matched["nonce"] + own
        salt = base64.b64encode(self._expected.salt).decode()
        server_first = f"r={self._nonce},s={salt},i={self._expected.iterations}"
        self._said = (matched["gs2"], matched["bare"], server_first)
        return Challenge(server_first.encode())

    async def proceed(self, data: bytes) -> Challenge | Authenticated:
        """Take the client's last message.

        Raises:
            Refused.
        """
        expected, self._expected = self._expected, None
        if expected is None:
            raise self._malformed()
        # Again, for many may have been challenged at once.
        self._secrets.throttle.check_open(self._address, self._name)
        matched = _FINAL.fullmatch(_text(data))
        gs2, bare, server_first = self._said
        if matched is None:
            raise self._malformed()
        bound = base64.b64encode(gs2.encode()).decode()
        signed = f"{bare},{server_first},{matched['signed']}".encode()
        signature = server_signature(expected.derived, signed, matched["proof"])
        is_right = (
            signature is not None
            and matched["binding"] == bound
            and hmac.compare_digest(matched["nonce"], self._nonce)
            and expected.is_of_somebody
        )
        if not is_right or signature is None:
            raise self._secrets.throttle.refuse(self._address, self._name)
        principal = self._principal(expected)
        self._secrets.throttle.accept(self._address, self._name)
        return Authenticated(principal, b"v=" + base64.b64encode(signature))

    def _principal(self, expected: Salted) -> Principal:
        authenticator, attempt = self._authenticator, self._attempt
        if expected.user is not None:
            found = authenticator.of_user(attempt, expected.user)
        else:
            found = authenticator.of_login(attempt, self._name)
        if self._before is not None and found.id != self._before.id:
            raise Refused(Refusal.NOT_AUTHORIZED, "the session belongs to somebody else")
        return authenticator.admitted(attempt, found)

    def _malformed(self) -> Refused:
        return Refused(Refusal.NOT_AUTHORIZED, f"this is no message of {METHOD}")


def _derive(password: str, salt: bytes) -> bytes:
    prepared = _settled(password)
    text = password if prepared is None else prepared
    return hashlib.pbkdf2_hmac("sha256", text.encode("utf-8", "surrogatepass"), salt, ITERATIONS)


def _text(data: bytes) -> str:
    """A message as text; blank for one that cannot be any."""
    if len(data) > DATA_BYTES_MAX:
        return ""
    try:
        return data.decode()
    except UnicodeDecodeError:
        return ""


def _settled(text: str) -> str | None:
    """A name or password in the form that both sides compare; None if it has none (RFC 4013)."""
    mapped = "".join(
        " " if stringprep.in_table_c12(each) else each
        for each in text
        if not stringprep.in_table_b1(each)
    )
    settled = unicodedata.normalize("NFKC", mapped)
    if not settled or any(map(_is_forbidden, settled)):
        return None
    return settled


def _is_forbidden(character: str) -> bool:
    return stringprep.in_table_c21_c22(character) or stringprep.in_table_c3(character)
