"""URIs of WAMP: which are well-formed for what use, and which names are the router's own.

| use | empty components |
| --- | --- |
| topic of PUBLISH, procedure of CALL, exact SUBSCRIBE and REGISTER, realm, error, reason | none |
| `match: prefix` | the last one may be; the empty URI is in front of everything |
| `match: wildcard` | any |

The loose rule is the default: a component holds no whitespace, no `.` and no `#`. The strict
rule allows digits, lower case letters and `_` only; the usual `test-topic` breaks it.

Source: WAMP, URIs.
"""

import re
from functools import lru_cache

from thingtank.protocols.wamp.errors import InvalidUri
from thingtank.protocols.wamp.options import Match

URI_CHARS_MAX = 1024
_SHOWN_CHARS_MAX = 80
_REMEMBERED_MAX = 4096

_LOOSE = r"[^\s.#]"
_STRICT = r"[0-9a-z_]"


def _patterns(char: str) -> dict[Match, re.Pattern[str]]:
    return {
        "exact": re.compile(rf"{char}++(?:\.{char}++)*+"),
        "prefix": re.compile(rf"(?:{char}++(?:\.{char}++)*+\.?)?"),
        "wildcard": re.compile(rf"{char}*+(?:\.{char}*+)*+"),
    }


_WELL_FORMED = {False: _patterns(_LOOSE), True: _patterns(_STRICT)}


def is_uri(uri: str, match: Match = "exact", is_strict: bool = False) -> bool:
    """Whether this may stand where `match` says how it is compared. Fast for what is repeated."""
    return len(uri) <= URI_CHARS_MAX and _is_well_formed(uri, match, is_strict)


@lru_cache(_REMEMBERED_MAX)  # of short ones only: they stay in memory
def _is_well_formed(uri: str, match: Match, is_strict: bool) -> bool:
    return _WELL_FORMED[is_strict][match].fullmatch(uri) is not None


def is_reserved(uri: str) -> bool:
    """Whether the first component is `wamp`: clients neither publish nor register there."""
    return uri.startswith("wamp") and uri[4:5] in ("", ".")


def check_uri(uri: str, match: Match = "exact", *, is_strict: bool = False) -> None:
    """Refuse what is malformed: for CALL, SUBSCRIBE, realms, error and reason URIs.

    Raises:
        InvalidUri.
    """
    if not is_uri(uri, match, is_strict):
        raise InvalidUri(malformed_words(uri, match))


def check_own_uri(uri: str, match: Match = "exact", *, is_strict: bool = False) -> None:
    """Refuse what is malformed or not a client's to use: for PUBLISH and REGISTER.

    Raises:
        InvalidUri.
    """
    check_uri(uri, match, is_strict=is_strict)
    if is_reserved(uri):
        raise InvalidUri(reserved_words(uri))


def malformed_words(uri: str, match: Match = "exact") -> str:
    """What is wrong with one that `is_uri` refuses."""
    if len(uri) > URI_CHARS_MAX:
        return (
            f"{shown(uri)} is too long: it has {len(uri)} characters, and may have {URI_CHARS_MAX}"
        )
    told = f"{shown(uri)} is not a valid URI"
    return told if match == "exact" else f"{told} for the match {match!r}"


def reserved_words(uri: str) -> str:
    """What is wrong with one that `is_reserved`, where a client may not use it."""
    return f"{shown(uri)} begins with 'wamp', which only the router uses"


def shown(uri: str) -> str:
    """It for people, in quotes, a long one in part."""
    return repr(uri) if len(uri) <= _SHOWN_CHARS_MAX else f"{uri[:_SHOWN_CHARS_MAX]!r}…"
