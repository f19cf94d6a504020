"""`cryptosign`: the client signs 32 random octets with its Ed25519 key, which settings name.

With channel binding what is signed is the challenge XOR the channel's id. The text has that in 32
octets without saying how; Autobahn takes SHA-256 of what RFC 5929 calls `tls-unique`. A client that
sends a challenge of its own has it signed by the router, whose key follows from the instance's
secret.

Source: WAMP, Cryptosign-based Authentication; RFC 5929, 8032, 9266; autobahn.asyncio.util.
"""

import hashlib
import hmac
import re
from collections.abc import Sequence
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from thingtank.doors.wamp.authentication.entry import WRONG, Round, Unfit
from thingtank.doors.wamp.realm_settings import PrincipalSettings
from thingtank.net.identity.principals import NamedPrincipal
from thingtank.protocols.wamp.authentication import Answer, Challenged
from thingtank.protocols.wamp.messages import Authenticate

CHALLENGE_BYTES = 32
_HEX = re.compile(r"[0-9a-f]{64}")
_PROOF = re.compile(r"([0-9a-f]{128})([0-9a-f]{64})")


class KeyHolders:
    """The principals of a realm that have public keys, and the router's own key."""

    def __init__(self, principals: Sequence[PrincipalSettings], router_seed: bytes) -> None:
        """Index them.

        Args:
            router_seed: 32 bytes, secret.
        """
        self._by_key = {key.lower(): each for each in principals for key in each.public_keys}
        self._router_key = Ed25519PrivateKey.from_private_bytes(router_seed)

    async def hello(self, round: Round) -> Answer:
        """Send the challenge; also to keys that nobody has here."""
        if not self._by_key:
            raise Unfit("nobody has a key for 'cryptosign' here")
        public_key = round.authextra.get("pubkey")
        if not isinstance(public_key, str) or not _HEX.fullmatch(public_key.lower()):
            raise Unfit("'cryptosign' needs a pubkey of 64 hexadecimal digits in authextra")
        public_key = public_key.lower()
        holder = self._by_key.get(public_key)
        if holder is not None and round.authid not in ("", holder.authid):
            holder = None
        challenge = round.entry.token_bytes(CHALLENGE_BYTES)
        kind, channel_id = _channel_of(round)
        extra: dict[str, Any] = {"challenge": challenge.hex(), "channel_binding": kind}
        extra |= self._router_proof(round.authextra.get("challenge"), channel_id)
        expected = to_be_signed(challenge, channel_id)

        def check(message: Authenticate) -> Answer:
            if not is_signed(public_key, expected, message.signature) or holder is None:
                return WRONG
            who = holder.authid, holder.role, "static"
            return round.welcome("cryptosign", who, NamedPrincipal(holder.account))

        return Challenged("cryptosign", extra, check)

    def _router_proof(self, challenge: object, channel_id: bytes | None) -> dict[str, str]:
        """The router's signature, where the client asks for one."""
        if not isinstance(challenge, str) or not _HEX.fullmatch(challenge.lower()):
            return {}
        signed = to_be_signed(bytes.fromhex(challenge), channel_id)
        return {
            "pubkey": self._router_key.public_key().public_bytes_raw().hex(),
            "signature": (self._router_key.sign(signed) + signed).hex(),
        }


def to_be_signed(challenge: bytes, channel_id: bytes | None) -> bytes:
    """What a challenge has signed, on a channel that is bound or on any."""
    if channel_id is None:
        return challenge
    return bytes(a ^ b for a, b in zip(challenge, channel_id, strict=True))


def is_signed(public_key: str, expected: bytes, proof: str) -> bool:
    """Whether a proof is the holder's signature of what was expected, with that after it."""
    matched = _PROOF.fullmatch(proof.lower())
    if matched is None or not hmac.compare_digest(bytes.fromhex(matched[2]), expected):
        return False
    try:
        key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(public_key))
        key.verify(bytes.fromhex(matched[1]), expected)
    except (InvalidSignature, ValueError):
        return False
    return True


def _channel_of(round: Round) -> tuple[str | None, bytes | None]:
    """Kind and 32 octets of the channel that the client wants bound."""
    binding = round.channel_binding("cryptosign")
    if binding is None:
        return None, None
    kind, channel_id = binding
    return kind, hashlib.sha256(channel_id).digest()
