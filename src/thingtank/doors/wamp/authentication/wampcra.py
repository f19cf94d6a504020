"""`wampcra`: the client signs a challenge with its secret, or with a key derived from its password.

The key of a salted secret is the base64 text of PBKDF2-HMAC-SHA256, not its octets.

Source: WAMP, Challenge Response Authentication.
"""

import base64
import hmac
import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from thingtank.doors.wamp.authentication.candidates import Candidate, Known, is_same
from thingtank.doors.wamp.authentication.entry import Round
from thingtank.protocols.wamp.authentication import Answer
from thingtank.protocols.wamp.messages import Authenticate

_NONCE_BYTES = 16
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


async def hello(round: Round) -> Answer:
    """Send the challenge, with the salt of a password."""
    candidate = round.candidate("wampcra")
    known = await candidate.known() if candidate.is_guessable else ()
    challenge = _challenge(round, candidate)
    extra: dict[str, Any] = {"challenge": challenge}
    if known and known[0].salted is not None:
        salted = known[0].salted
        extra |= {"salt": salted.salt, "iterations": salted.iterations, "keylen": 32}

    async def check(message: Authenticate) -> Answer:
        tried = known or await candidate.known()
        return round.accept("wampcra", candidate, signer(tried, challenge, message.signature))

    return round.challenge("wampcra", candidate, extra, check)


def _challenge(round: Round, candidate: Candidate) -> str:
    at = _EPOCH + timedelta(microseconds=round.entry.now_us())
    return json.dumps(
        {
            "authid": candidate.authid,
            "authrole": candidate.authrole,
            "authmethod": "wampcra",
            "authprovider": candidate.authprovider,
            "nonce": round.entry.token_bytes(_NONCE_BYTES).hex(),
            "timestamp": at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "session": round.attempt.session_id,
        }
    )


def signer(known: Sequence[Known], challenge: str, signature: str) -> Known | None:
    """Whose secret signed a challenge."""
    found = None
    for each in known:
        if is_same(signature, sign(_key_of(each), challenge)):
            found = each
    return found


def sign(key: bytes, challenge: str) -> str:
    """The signature that AUTHENTICATE carries."""
    return base64.b64encode(hmac.digest(key, challenge.encode(), "sha256")).decode()


def _key_of(known: Known) -> bytes:
    if known.salted is not None:
        return base64.b64encode(known.salted.derived)
    return known.secret.encode("utf-8", "surrogatepass")
