"""`wamp-scram`, and `scram`: the dialect that Autobahn and Crossbar.io speak.

| | `wamp-scram` | `scram` |
| --- | --- | --- |
| Argon2id is called | `argon2id13` | `argon2id-13` |
| its salted password | 32 octets | the octets' base64 text, without padding |
| `c=` | base64 of `n,,` or `p=kind,,` and data | the text of `channel_binding`, which is blank |
| the client's last message | says nonce and channel binding again | says nothing |
| the server's signature | `authextra.verifier` | `authextra.scram_server_signature` |

A password of an account is known as PBKDF2 alone, which Autobahn's dialect fails on. Secrets that
are known as they are, are salted by Argon2id.

Source: WAMP, Salted Challenge Response Authentication; RFC 5802; autobahn.wamp.auth.
"""

import base64
import hashlib
import re
from typing import Any, Literal

from argon2.low_level import Type, hash_secret_raw
from msgspec import Struct

from thingtank.doors.wamp.authentication.candidates import Known, is_same
from thingtank.doors.wamp.authentication.entry import Round, Unfit
from thingtank.net.identity.scram import server_signature
from thingtank.protocols.wamp.authentication import Answer
from thingtank.protocols.wamp.messages import Authenticate

ARGON2_ITERATIONS = 3
ARGON2_MEMORY_KIB = 4096
DERIVED_MAX = 10_000
_NONCE_BYTES = 16
_SALT_BYTES = 16
_NONCE = re.compile(r"[!-+\--~]{8,256}")  # RFC 5802, printable: all but the comma

Dialect = Literal["wamp-scram", "scram"]


class Sides(Struct, frozen=True):
    """What was said before the client's last message.

    Attributes:
        nonce: of both sides.
        salt: in base64.
        binding: kind and data of the channel; None for none.
    """

    dialect: Dialect
    authid: str
    client_nonce: str
    nonce: str
    salt: str
    iterations: int
    binding: tuple[str, bytes] | None

    @property
    def auth_message(self) -> bytes:
        """What both sides sign."""
        name = self.authid
        bound = ""
        if self.dialect == "wamp-scram":
            name = name.replace("=", "=3D").replace(",", "=2C")
            flag, data = ("n", b"")
            if self.binding is not None:
                flag, data = f"p={self.binding[0]}", self.binding[1]
            bound = base64.b64encode(f"{flag},,".encode() + data).decode()
        return ",".join(
            (
                f"n={name},r={self.client_nonce}",
                f"r={self.nonce},s={self.salt},i={self.iterations}",
                f"c={bound},r={self.nonce}",
            )
        ).encode("utf-8", "surrogatepass")


async def hello_of_the_text(round: Round) -> Answer:
    """Send the challenge of `wamp-scram`."""
    return await _hello(round, "wamp-scram")


async def hello_of_autobahn(round: Round) -> Answer:
    """Send the challenge of `scram`."""
    return await _hello(round, "scram")


async def _hello(round: Round, dialect: Dialect) -> Answer:
    candidate = round.candidate(dialect)
    client_nonce = round.authextra.get("nonce")
    if not isinstance(client_nonce, str) or not _NONCE.fullmatch(client_nonce):
        raise Unfit(f"{dialect!r} needs a nonce of 8 to 256 characters in authextra")
    binding = round.channel_binding(dialect) if dialect == "wamp-scram" else None
    known = await candidate.known() if candidate.is_guessable else ()
    salted = known[0].salted if known else None
    if salted is not None:
        salt = base64.b64encode(salted.salt.encode()).decode()
        extra = {"kdf": "pbkdf2", "iterations": salted.iterations, "memory": None}
    else:
        digest = round.entry.candidates.digest("scram salt", candidate.authid)
        salt = base64.b64encode(digest[:_SALT_BYTES]).decode()
        kdf = "argon2id13" if dialect == "wamp-scram" else "argon2id-13"
        extra = {"kdf": kdf, "iterations": ARGON2_ITERATIONS, "memory": ARGON2_MEMORY_KIB}
    nonce = client_nonce + base64.b64encode(round.entry.token_bytes(_NONCE_BYTES)).decode()
    extra |= {"nonce": nonce, "salt": salt}
    sides = Sides(dialect, round.authid, client_nonce, nonce, salt, _iterations(extra), binding)

    async def check(message: Authenticate) -> Answer:
        if dialect == "wamp-scram" and not _says_the_same(message.extra, sides):
            return round.refuse(candidate)
        for each in known or await candidate.known():
            salted_password = await _salted_password(round, each, sides)
            verifier = server_signature(salted_password, sides.auth_message, message.signature)
            if verifier is not None:
                return round.accept(dialect, candidate, each, _proof_of_server(dialect, verifier))
        return round.refuse(candidate)

    return round.challenge(dialect, candidate, extra, check)


def _iterations(extra: dict[str, Any]) -> int:
    iterations: int = extra["iterations"]
    return iterations


def _says_the_same(extra: dict[str, Any], sides: Sides) -> bool:
    """Whether the client's last message repeats nonce and channel binding, data included."""
    nonce, kind, data = (extra.get(each) for each in ("nonce", "channel_binding", "cbind_data"))
    if not isinstance(nonce, str) or not is_same(nonce, sides.nonce):
        return False
    if sides.binding is None:
        return kind is None and data is None
    expected = base64.b64encode(sides.binding[1]).decode()
    return kind == sides.binding[0] and isinstance(data, str) and is_same(data, expected)


async def _salted_password(round: Round, known: Known, sides: Sides) -> bytes:
    if known.salted is not None:
        return known.salted.derived
    secret = known.secret.encode("utf-8", "surrogatepass")
    salt = base64.b64decode(sides.salt)
    place = salt, hashlib.sha256(secret).digest()
    entry = round.entry
    derived = entry.derived.get(place)
    if derived is None:
        derived = await entry.slow_work.run(round.address, lambda: argon2id(secret, salt))
        entry.derived[place] = derived
    entry.derived.move_to_end(place)
    if len(entry.derived) > DERIVED_MAX:
        entry.derived.popitem(last=False)
    return derived if sides.dialect == "wamp-scram" else base64.b64encode(derived).rstrip(b"=")


def argon2id(secret: bytes, salt: bytes) -> bytes:
    """32 octets."""
    return hash_secret_raw(
        secret, salt, ARGON2_ITERATIONS, ARGON2_MEMORY_KIB, parallelism=1, hash_len=32, type=Type.ID
    )


def _proof_of_server(dialect: Dialect, verifier: bytes) -> dict[str, Any]:
    name = "verifier" if dialect == "wamp-scram" else "scram_server_signature"
    return {name: base64.b64encode(verifier).decode()}
