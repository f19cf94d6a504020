"""What a secret is called: in queries, forms, documents, headers."""

import re
from functools import lru_cache

_PARTS = (
    *("token", "secret", "password", "passwd", "passphrase", "passcode", "credential"),
    *("authorization", "cookie", "apikey", "accesskey", "privatekey", "signature", "sessionid"),
)
# Whole words, so that `monkey`, `compass` and `signal` are none.
_WORDS = frozenset(
    {"key", "pass", "pw", "pwd", "auth", "sig", "meshblu", "jwt", "psk", "otp", "passwort"}
)
_END_OF_WORD = re.compile(r"[^a-zA-Z0-9]+|(?<=[a-z0-9])(?=[A-Z])")
_NO_LETTERS = re.compile(r"[^a-z0-9]")
NAME_CHARS_MAX = 200


def is_secret(name: str) -> bool:
    """Whether a parameter, a member or a header of this name may hold a secret."""
    return _is_secret(name[:NAME_CHARS_MAX])


@lru_cache(2048)
def _is_secret(name: str) -> bool:
    joined = _NO_LETTERS.sub("", name.lower())
    if joined in _WORDS or any(part in joined for part in _PARTS):
        return True
    return any(word.lower() in _WORDS for word in _END_OF_WORD.split(name))
