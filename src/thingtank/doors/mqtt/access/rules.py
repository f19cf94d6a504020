"""Rules of the settings: whom each is for, and which topics.

The first rule that fits decides. A topic filter is decided as a whole: a rule fits it that covers
all of it. So who may have `#` but for `secret/#` may subscribe to `#`, and gets nothing of
`secret`: what is delivered is looked at topic by topic.
"""

from collections.abc import Iterable, Sequence
from typing import Literal

from msgspec import Struct

from thingtank.doors.mqtt.settings import AclRule

Action = Literal["publish", "subscribe"]
EVERYBODY = "*"
SHARED = "$share/"
_WILDCARDS = frozenset({"+", "#"})
_NOT_IN_VALUES = frozenset("/+#\0")


class Rule(Struct, frozen=True):
    """A rule as it is for one client.

    Attributes:
        levels: of its topic filter, with values in it.
    """

    levels: tuple[str, ...]
    actions: AclRule
    is_allowing: bool

    def is_about(self, action: Action) -> bool:
        """Whether it decides such an action at all."""
        named = self.actions.allow if self.is_allowing else self.actions.deny
        return named in (action, "both")

    @property
    def begins_wild(self) -> bool:
        """Whether it names no first level."""
        return self.levels[0] in _WILDCARDS


def rules_for(
    acl: Sequence[AclRule], names: Sequence[str], values: dict[str, str]
) -> tuple[Rule, ...]:
    """The rules that are for a client, in order.

    Args:
        names: what rules may call it.
        values: by letter, what `%c`, `%u` and `%d` stand for; blank for nothing.
    """
    found = []
    for rule in acl:
        if is_meant(names, rule.principals):
            topic = _with_values(rule.topic, values)
            if topic is not None:
                found.append(Rule(tuple(topic.split("/")), rule, bool(rule.allow)))
    return tuple(found)


def is_meant(names: Iterable[str], patterns: Iterable[str]) -> bool:
    """Whether one of some patterns is about a client.

    Args:
        names: such as `user:lamp`, `key:7`, `anonymous`. A pattern without a kind is a word such
            as `anonymous`, to the letter, or the name of a user.
    """
    return any(
        pattern == EVERYBODY or _names(name, pattern) for pattern in patterns for name in names
    )


def _names(name: str, pattern: str) -> bool:
    if name == pattern:
        return True
    kind, colon, own = name.partition(":")
    wanted_kind, wanted_colon, wanted = pattern.partition(":")
    if not wanted_colon:
        wanted_kind, wanted = "user", pattern
    return bool(colon) and kind == wanted_kind and fits(own, wanted)


def fits(text: str, pattern: str) -> bool:
    """Whether a pattern, in which `*` stands for any characters, fits all of a text."""
    first, *rest = pattern.split("*")
    if not rest:
        return text == first
    *middle, last = rest
    at, end = len(first), len(text) - len(last)
    if at > end or not text.startswith(first) or not text.endswith(last):
        return False
    for part in middle:
        found = text.find(part, at, end)
        if found < 0:
            return False
        at = found + len(part)
    return True


def _with_values(topic: str, values: dict[str, str]) -> str | None:
    """A rule's topic for one client; None if it is not for such a one."""
    first, *rest = topic.split("%")
    if not rest:
        return topic
    parts = [first]
    pieces = iter(rest)
    for piece in pieces:
        if not piece:  # %%
            parts.append("%" + next(pieces, ""))
            continue
        value = values.get(piece[0], "")
        # A value with a wildcard or a level of its own would have the rule mean more than it says.
        if not value or not _NOT_IN_VALUES.isdisjoint(value):
            return None
        parts += value, piece[1:]
    return "".join(parts)


def covers(outer: Sequence[str], inner: Sequence[str]) -> bool:
    """Whether a topic filter matches all that another one does; a topic name is a filter too.

    Args:
        outer: levels.
        inner: levels.

    Source: MQTT 5, 4.7.
    """
    if outer[0] in _WILDCARDS and inner[0].startswith("$"):
        return False  # 4.7.2
    count = len(inner)
    for number, level in enumerate(outer):
        if level == "#":
            return True
        if number >= count:
            return False
        if level != inner[number] and (level != "+" or inner[number] == "#"):
            return False
    return len(outer) == count


def plain_filter(topic_filter: str) -> str:
    """A topic filter without `$share/NAME/`."""
    if not topic_filter.startswith(SHARED):
        return topic_filter
    return topic_filter[len(SHARED) :].partition("/")[2]
