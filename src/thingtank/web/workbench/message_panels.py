"""Messages and who is there, as pages show them."""

from collections.abc import Iterator, Sequence
from itertools import islice

import msgspec

from thingtank.tank.access import Caller, may_reach
from thingtank.tank.actions.messages import Receipt, Sent
from thingtank.tank.errors import NoSuchDevice
from thingtank.tank.messaging.messages import BROADCAST, TAG
from thingtank.tank.messaging.presence import Visit
from thingtank.tank.tank import Tank
from thingtank.tank.things import Device
from thingtank.web.workbench.message_tail import SeenMessage
from thingtank.web.workbench.outcomes import ShownOutcome, took

TEXT_CHARS_MAX = 2000
EXTRAS_CHARS_MAX = 500
NAMES_SHOWN_MAX = 3
ONLINE_SHOWN_MAX = 20
ONLINE_COUNTED_MAX = 1000
LOOKED_AT_MAX = 20_000  # devices that are remembered, of which some are there
RECEIPTS_SHOWN_MAX = 20

_OUTCOME_WORDS = {"delivered": "Delivered", "kept": "Kept", "away": "Away"}
_SHOWN_ELSEWHERE = frozenset({"devices", "payload", "message", "topic", "fromUuid"})


class ShownMessage(msgspec.Struct, frozen=True):
    """A row of the list of messages.

    Attributes:
        key: tells rows apart.
        sender, recipients: names, else uuids.
        sender_url, recipient_url: their pages; blank where the reader has none.
        state: `delivered`, `kept`, `away`, or `mixed`.
        text: the payload.
        extras: what else it says, as JSON; blank for nothing.
    """

    key: str
    at_ms: int
    sender: str
    sender_url: str
    recipients: str
    recipient_url: str
    state: str
    outcome: str
    topic: str
    text: str
    extras: str

    @property
    def at_us(self) -> int:
        """For templates."""
        return self.at_ms * 1000


class ShownPresence(msgspec.Struct, frozen=True):
    """A device that is there.

    Attributes:
        door: `websocket`, `mqtt` or what else it came by; blank for what it says itself.
    """

    key: str
    name: str
    url: str
    door: str
    since_ms: int | None

    @property
    def since_us(self) -> int | None:
        """For templates."""
        return None if self.since_ms is None else self.since_ms * 1000


class ShownOnline(msgspec.Struct, frozen=True):
    """Who is there now: the newest of them, and how many."""

    count: int
    is_more: bool
    rows: list[ShownPresence]


def shown_message(tank: Tank, caller: Caller, seen: SeenMessage) -> ShownMessage:
    """A message as its reader may see it."""
    message = seen.message
    sender = _find(tank, message.from_id)
    if sender is not None:
        sender_name = name_for(caller, sender)
    else:
        sender_name = message.from_uuid or "Somebody without a uuid"
    states = set(seen.outcomes)
    state = states.pop() if len(states) == 1 else "mixed"
    content = message.content
    extras = {name: content[name] for name in content if name not in _SHOWN_ELSEWHERE}
    first = None if seen.is_broadcast else seen.devices[0]
    return ShownMessage(
        str(seen.number),
        message.at_us // 1000,
        sender_name,
        _url(caller, sender),
        _recipients(caller, seen),
        _url(caller, first) if seen.device_count == 1 else "",
        state,
        "Nobody listens" if seen.is_broadcast and state == "away" else _outcome_words(seen, state),
        message.topic,
        json_text(message.payload, TEXT_CHARS_MAX),
        json_text(extras, EXTRAS_CHARS_MAX) if extras else "",
    )


def _outcome_words(seen: SeenMessage, state: str) -> str:
    if state != "mixed":
        return _OUTCOME_WORDS[state]
    counts = ((seen.outcomes.count(name), name) for name in _OUTCOME_WORDS)
    return ", ".join(f"{count} {name}" for count, name in counts if count)


def _recipients(caller: Caller, seen: SeenMessage) -> str:
    if seen.is_broadcast:
        return "all who listen"
    names = [name_for(caller, device) for device in seen.devices[:NAMES_SHOWN_MAX]]
    more = seen.device_count - len(names)
    return ", ".join(names) + (f" and {more} more" if more > 0 else "")


def name_for(caller: Caller, device: Device) -> str:
    """A device's name where somebody may see it, else its uuid."""
    return device.title if may_reach(caller, "get", device) else device.uuid


def title_of(tank: Tank, caller: Caller, uuid: str) -> str:
    """The name of the device with a uuid, where somebody may see it; else the uuid as it came.

    So it does not tell a device that may not be seen from none.
    """
    device = tank.directory.find_device_by_uuid(uuid)
    if device is None or not may_reach(caller, "get", device):
        return uuid
    return device.title


def _url(caller: Caller, device: Device | None) -> str:
    if device is None or not may_reach(caller, "get", device):
        return ""
    return f"/feeds/{device.device_id}"  # these are made outside of Django, too


def _find(tank: Tank, device_id: int) -> Device | None:
    if not device_id:
        return None
    try:
        return tank.directory.get_device(device_id)
    except NoSuchDevice:
        return None


def json_text(value: object, chars_max: int) -> str:
    """JSON for people, and of long ones the beginning."""
    text = msgspec.json.format(msgspec.json.encode(value), indent=2).decode()
    if text.count("\n") < 8 and len(text) < 120:
        text = msgspec.json.format(text, indent=0)
    return text if len(text) <= chars_max else text[:chars_max] + "…"


def read_online(tank: Tank, caller: Caller) -> ShownOnline:
    """Who is there of those that an account sees: all for an admin, else its own."""
    rows: list[ShownPresence] = []
    count = 0
    for device in islice(_online(tank, caller), ONLINE_COUNTED_MAX + 1):
        count += 1
        if len(rows) < ONLINE_SHOWN_MAX:
            rows.append(
                shown_presence(caller, device, tank.messaging.presence.visit(device.device_id))
            )
    is_more = count > ONLINE_COUNTED_MAX
    return ShownOnline(min(count, ONLINE_COUNTED_MAX), is_more, rows)


def _online(tank: Tank, caller: Caller) -> Iterator[Device]:
    account = caller.account
    assert account is not None
    for device_id in tank.messaging.presence.newest_online(LOOKED_AT_MAX):
        device = _find(tank, device_id)
        if device is not None and (account.is_admin or device.account_id == account.account_id):
            yield device


def shown_presence(caller: Caller, device: Device, visit: Visit | None) -> ShownPresence:
    """A device that is there."""
    since_us = None if visit is None else visit.online_since_us
    connections = () if visit is None else visit.connections
    return ShownPresence(
        str(device.device_id),
        name_for(caller, device),
        _url(caller, device),
        connections[-1].protocol if connections else "",
        None if since_us is None else since_us // 1000,
    )


def shown_receipts(tank: Tank, caller: Caller, sent: Sent, duration_us: int) -> ShownOutcome:
    """What became of a message, target by target."""
    receipts = sent.receipts
    lines = [receipt_words(tank, caller, each) for each in receipts[:RECEIPTS_SHOWN_MAX]]
    if len(receipts) > RECEIPTS_SHOWN_MAX:
        lines.append(f"… and {len(receipts) - RECEIPTS_SHOWN_MAX} more")
    is_good = all(each.outcome in ("delivered", "kept") for each in receipts)
    single = len(receipts) == 1
    return ShownOutcome(
        _summary(receipts),
        is_good,
        "",
        lines[0] if single else "",
        "",
        took(duration_us),
        progress=[] if single else lines,
    )


def _summary(receipts: Sequence[Receipt]) -> str:
    words = {
        "delivered": "Delivered",
        "kept": "Kept",
        "away": "Away",
        "undeliverable": "Not deliverable",
    }
    outcomes = {each.outcome for each in receipts}
    return words[outcomes.pop()] if len(outcomes) == 1 else "Sent"


def receipt_words(tank: Tank, caller: Caller, receipt: Receipt) -> str:
    """What became of a message to one target, and what to do about it."""
    target = receipt.devices
    if target in BROADCAST:
        if receipt.outcome == "away":
            return "Nobody listens to what this device broadcasts."
        return f"Delivered to {receipt.count} who listen{'s' if receipt.count == 1 else ''}."
    if target.startswith(TAG):
        if receipt.outcome == "undeliverable":
            return f"{target}: no device with this tag is there and lets you send to it."
        if receipt.outcome == "away":
            return f"{target}: all of this tag are away and keep no messages: none will get it."
        return f"{target}: {receipt.count} of this tag got it."
    name = title_of(tank, caller, target.partition("/")[0])
    match receipt.outcome:
        case "delivered":
            return f"{name} has it."
        case "kept":
            return f"{name} is away. It is kept until it comes back."
        case "away":
            return f"{name} is away and keeps no messages: it will not get this one."
        case "undeliverable":
            return f"{name}: there is no such device, or it does not let this sender send to it."
