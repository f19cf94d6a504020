"""What a trigger says, in words for people."""

import re

import msgspec

from thingtank.tank.things import Unit
from thingtank.tank.triggers import THRESHOLD_KINDS, Trigger

# As the form asks, after "When the channel …".
KIND_CHOICES = [
    ("gt", "goes above"),
    ("gte", "reaches or goes above"),
    ("lt", "falls below"),
    ("lte", "falls to or below"),
    ("eq", "becomes equal to"),
    ("change", "changes"),
    ("frozen", "falls silent"),
    ("live", "comes back after a silence"),
]
_KIND_WORDS = dict(KIND_CHOICES)

_UNITS_S = (("d", 86_400), ("h", 3600), ("min", 60))
_SECONDS_OF = {
    **dict.fromkeys(("", "s", "sec", "second", "seconds"), 1),
    **dict.fromkeys(("m", "min", "minute", "minutes"), 60),
    **dict.fromkeys(("h", "hour", "hours"), 3600),
    **dict.fromkeys(("d", "day", "days"), 86_400),
}
_DURATION = re.compile(r"\s*([0-9]{1,9})\s*([a-z]*)\s*\Z")


class TriggerWords(msgspec.Struct, frozen=True):
    """A trigger as a sentence, and what else it goes by.

    Attributes:
        condition: `goes above 30 °C`; with the channel's name before it, a sentence.
        terms: what stands under More: `for 5 min`, `ends at 28`.
    """

    name: str
    condition: str
    terms: tuple[str, ...]

    @property
    def sentence(self) -> str:
        """`temperature goes above 30 °C`."""
        return f"{self.name} {self.condition}"


def words_of(trigger: Trigger, unit: Unit | None = None) -> TriggerWords:
    """A trigger in words; `unit` is its channel's."""
    condition = _KIND_WORDS[trigger.kind]
    symbol = unit.symbol if unit else ""
    if trigger.kind in THRESHOLD_KINDS:
        condition += f" {trigger.threshold}" + (f" {symbol}" if symbol else "")
    terms = []
    if trigger.hold_s:
        terms.append(f"for {duration_text(trigger.hold_s)}")
    if trigger.clear_value:
        terms.append(f"ends at {trigger.clear_value}")
    return TriggerWords(trigger.name, condition, tuple(terms))


def duration_text(seconds: int) -> str:
    """`5 min` for 300: the largest unit that leaves nothing over."""
    for unit, size_s in _UNITS_S:
        if seconds and seconds % size_s == 0:
            return f"{seconds // size_s} {unit}"
    return f"{seconds} s"


def parse_duration(text: str) -> int:
    """Seconds of `90`, `90 s`, `5 min`, `2 h` or `1 d`.

    Raises:
        ValueError: it is none of these.
    """
    found = _DURATION.match(text.lower())
    if found is None or found[2] not in _SECONDS_OF:
        raise ValueError("a duration is written like 30 s, 5 min, 2 h or 1 d")
    return int(found[1]) * _SECONDS_OF[found[2]]
