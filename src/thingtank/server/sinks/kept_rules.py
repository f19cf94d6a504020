"""Rules that were made in the workbench, sealed at rest: they may hold passwords."""

import secrets
from typing import Any

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from thingtank.sinks.rules.settings import SinkRule
from thingtank.web.derived_keys import derive_key

_NONCE_BYTES = 12


class UnreadableRule(Exception):
    """A rule was sealed with another secret, or is of another version."""


class RuleSealer:
    """Seals rules with a key derived from the instance's secret."""

    def __init__(self, secret: bytes) -> None:
        self._cipher = AESGCM(derive_key(secret, "sink rules"))

    def seal(self, rule: SinkRule) -> bytes:
        """A rule with its passwords, encrypted, and bound to its name."""
        members: dict[str, Any] = {**msgspec.structs.asdict(rule), "to": rule.target}
        nonce = secrets.token_bytes(_NONCE_BYTES)
        plain = msgspec.json.encode(members)
        return nonce + self._cipher.encrypt(nonce, plain, rule.name.encode())

    def unseal(self, name: str, sealed: bytes) -> SinkRule:
        """The rule again.

        Raises:
            UnreadableRule.
        """
        nonce, rest = sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:]
        try:
            plain = self._cipher.decrypt(nonce, rest, name.encode())
            return msgspec.json.decode(plain, type=SinkRule)
        except (InvalidTag, ValueError, msgspec.MsgspecError) as error:
            raise UnreadableRule(str(error) or type(error).__name__) from None
