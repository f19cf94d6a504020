"""How deep JSON is, and of how many parts, by its text: what was well-formed may still be too much.

Values that are nested hundreds deep would exhaust Python's stack in whatever walks them later.
Counting what may also stand within strings tells most texts apart from those that have to be looked
at.
"""

import re
from typing import Final

_STRING: Final = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"')
_BRACKETS: Final = bytes.maketrans(b"{}", b"[]")
_NO_BRACKETS: Final = bytes(set(range(256)) - set(b"[]{}"))


def is_deeper(text: bytes, depth_max: int) -> bool:
    """Whether well-formed JSON has more than so many lists and objects in each other."""
    # Each level has two brackets.
    if len(text) <= 2 * depth_max or text.count(b"[") + text.count(b"{") <= depth_max:
        return False
    brackets = _STRING.sub(b"", text).translate(_BRACKETS, _NO_BRACKETS)
    for _ in range(depth_max):
        brackets = brackets.replace(b"[]", b"")  # the innermost level
        if not brackets:
            return False
    return True


def has_more_items(text: bytes, items_max: int) -> bool:
    """Whether well-formed JSON has more than so many elements, members, lists and objects."""
    return (
        len(text) > items_max
        and _item_count(text) > items_max
        and _item_count(_STRING.sub(b"", text)) > items_max
    )


def _item_count(text: bytes) -> int:
    return text.count(b",") + text.count(b"[") + text.count(b"{")
