"""Triggers: what a trigger says, and what is wrong with one. When it fires: `trigger_rules`."""

import re
from collections.abc import Callable
from typing import Literal, get_args

import msgspec
from msgspec import UNSET, UnsetType

from thingtank.tank.datapoints import CurrentValue, number_of
from thingtank.tank.targets import BadTarget, parse_address, parse_url
from thingtank.tank.things import TEXT_CHARS_MAX

Kind = Literal["gt", "gte", "lt", "lte", "eq", "change", "frozen", "live"]
KINDS: tuple[str, ...] = get_args(Kind)
BOUND_KINDS = ("gt", "gte", "lt", "lte")  # compare with a number, and may have a clear value
THRESHOLD_KINDS = (*BOUND_KINDS, "eq")
HOLD_KINDS = (*THRESHOLD_KINDS, "frozen")  # conditions that last; the others are moments

HOLD_S_MAX = 30 * 86_400
QUIET_S_MIN = 1
QUIET_S_MAX = 30 * 86_400
QUIET_S = 5  # Xively: at least five seconds between two equal notifications

_TEXT_REFUSED = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")


class Armed(msgspec.Struct, frozen=True):
    """From when a trigger watches, so that it is known after any crash what came before it.

    Attributes:
        number: counts up whenever the trigger starts afresh; what it remembered then is void.
        at_us: the instant.
        value_at_us, value: the datastream's current value then; None when it had none.
    """

    number: int = 1
    at_us: int = 0
    value_at_us: int | None = None
    value: str | None = None

    def again(self, at_us: int, current: CurrentValue | None) -> "Armed":
        """Armed anew, at an instant and with the current value there is."""
        if current is None:
            return Armed(self.number + 1, at_us)
        return Armed(self.number + 1, at_us, current.at_us, current.value)


class Trigger(msgspec.Struct, frozen=True):
    """Tells a receiver when a datastream's value meets a condition.

    Attributes:
        trigger_id: the row's number, never used again; 0 before it is stored.
        account_id: the feed's owner.
        name: the datastream's.
        kind: `frozen` is no update for 15 minutes, `live` the first update after that.
        threshold: as it was written; blank for `change`, `frozen` and `live`.
        url, email: who is told; one of them at least.
        clear_value: the condition ends only beyond it (hysteresis); blank for at the threshold.
        hold_s: for how long the condition must hold.
        quiet_s: at least so long between two firings; one that is due sooner waits.
        notified_us: when it fired last; None for never.
    """

    trigger_id: int
    account_id: int
    device_id: int
    name: str
    kind: Kind
    threshold: str = ""
    url: str = ""
    email: str = ""
    clear_value: str = ""
    hold_s: int = 0
    quiet_s: int = QUIET_S
    is_enabled: bool = True
    created_us: int = 0
    armed: Armed = Armed()
    notified_us: int | None = None


class TriggerChange(msgspec.Struct, frozen=True):
    """New values for a trigger; UNSET fields stay as they are."""

    kind: str | UnsetType = UNSET
    threshold: str | UnsetType = UNSET
    url: str | UnsetType = UNSET
    email: str | UnsetType = UNSET
    clear_value: str | UnsetType = UNSET
    hold_s: int | UnsetType = UNSET
    quiet_s: int | UnsetType = UNSET
    is_enabled: bool | UnsetType = UNSET


def starts_afresh(before: Trigger, after: Trigger) -> bool:
    """Whether a change leaves nothing of what the trigger remembered: another condition, or on."""
    if after.is_enabled and not before.is_enabled:
        return True
    return _condition(before) != _condition(after)


def _condition(trigger: Trigger) -> tuple[object, ...]:
    return trigger.kind, trigger.threshold, trigger.clear_value, trigger.hold_s


def trigger_problems(trigger: Trigger) -> list[tuple[str, str]]:
    """What is wrong with a trigger's own content, in Xively's words: (field, message) pairs.

    Source: Xively API v2, triggers (xively-rb, trigger.rb); where it is silent, Rails' words.
    """
    problems: list[tuple[str, str]] = []
    if not trigger.name:
        problems.append(("stream_id", "can't be blank"))
    if trigger.kind not in KINDS:
        problems.append(("trigger_type", f"must be one of {', '.join(KINDS)}"))
    else:
        problems += _threshold_problems(trigger)
        problems += _clear_value_problems(trigger)
    if not trigger.url and not trigger.email:
        problems.append(("url", "can't be blank"))
    # What delivery would refuse is refused before anything waits for it.
    if trigger.url and not _is_taken(parse_url, trigger.url):
        problems.append(("url", "is not a valid http or https URL"))
    if trigger.email and not _is_taken(parse_address, trigger.email):
        problems.append(("email", "is not a valid e-mail address"))
    return problems + _duration_problems(trigger)


def _threshold_problems(trigger: Trigger) -> list[tuple[str, str]]:
    threshold = trigger.threshold
    if trigger.kind not in THRESHOLD_KINDS:
        return []  # clients send a blank or an old one along; it says nothing
    if not threshold.strip():
        return [("threshold_value", "can't be blank")]
    if len(threshold) > TEXT_CHARS_MAX:
        return [("threshold_value", f"is too long (maximum is {TEXT_CHARS_MAX} characters)")]
    if not _is_plain_text(threshold):
        return [("threshold_value", "can't contain control characters")]
    if trigger.kind in BOUND_KINDS and number_of(threshold) is None:
        return [("threshold_value", "is not a number")]
    return []


def _clear_value_problems(trigger: Trigger) -> list[tuple[str, str]]:
    if not trigger.clear_value:
        return []
    if trigger.kind not in BOUND_KINDS:
        return [("clear_value", f"is only for {', '.join(BOUND_KINDS)}")]
    clear, threshold = number_of(trigger.clear_value), number_of(trigger.threshold)
    if clear is None or len(trigger.clear_value) > TEXT_CHARS_MAX:
        return [("clear_value", "is not a number")]
    if threshold is None:
        return []
    if trigger.kind in ("gt", "gte") and clear > threshold:
        return [("clear_value", "must not be above the threshold")]
    if trigger.kind in ("lt", "lte") and clear < threshold:
        return [("clear_value", "must not be below the threshold")]
    return []


def _duration_problems(trigger: Trigger) -> list[tuple[str, str]]:
    problems = []
    if not 0 <= trigger.hold_s <= HOLD_S_MAX:
        problems.append(("hold", f"must be within 0 and {HOLD_S_MAX} seconds"))
    elif trigger.hold_s and trigger.kind in KINDS and trigger.kind not in HOLD_KINDS:
        problems.append(("hold", f"is only for {', '.join(HOLD_KINDS)}"))
    if not QUIET_S_MIN <= trigger.quiet_s <= QUIET_S_MAX:
        problems.append(("quiet", f"must be within {QUIET_S_MIN} and {QUIET_S_MAX} seconds"))
    return problems


def _is_taken(parse: Callable[[str], object], target: str) -> bool:
    try:
        parse(target)
    except BadTarget:
        return False
    return True


def _is_plain_text(text: str) -> bool:
    """Whether a database keeps it: no control characters, no halves of surrogate pairs."""
    return not _TEXT_REFUSED.search(text)
