"""Members of triggers and keys, which clients send as the types that their languages made of them.

They come from JSON as any plain value, from XML as texts.
"""

import re

from msgspec import UNSET, UnsetType

from thingtank.protocols.xively.documents import Text
from thingtank.protocols.xively.errors import Unprocessable
from thingtank.protocols.xively.json_format import value_of

_NUMBER = re.compile(r"-?\d+\Z", re.ASCII)
_DIGITS_MAX = 18
_TRUTHS = {"true": True, "1": True, "false": False, "0": False}


def text_of_member(value: Text) -> str | UnsetType:
    """A text, stripped; null is blank."""
    return UNSET if value is UNSET else (value_of(value) or "").strip()


def number_of_member(value: Text, name: str) -> int | UnsetType | None:
    """A whole number of at least 0, also as a text; None when it is null or blank.

    Raises:
        Unprocessable: it is something else.
    """
    text = text_of_member(value)
    if text is UNSET:
        return UNSET
    if text == "":
        return None
    if not _NUMBER.match(text):
        raise Unprocessable([(name, "is not a number")])
    if text.startswith("-"):
        raise Unprocessable([(name, "must not be negative")])
    if len(text) > _DIGITS_MAX:
        raise Unprocessable([(name, f"is too large (maximum is {_DIGITS_MAX} digits)")])
    return int(text)


def truth_of_member(value: Text, name: str) -> bool | UnsetType:
    """True or false, also as a text; null and blank leave it as it is.

    Raises:
        Unprocessable: it is something else.
    """
    text = text_of_member(value)
    if text is UNSET or text == "":
        return UNSET
    truth = _TRUTHS.get(text.lower())
    if truth is None:
        raise Unprocessable([(name, "must be true or false")])
    return truth
