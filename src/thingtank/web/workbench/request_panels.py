"""The rows of the request log, for pages and their streams."""

import re
from http import HTTPStatus
from urllib.parse import unquote

import msgspec

from thingtank.tank.access import is_others_key, named
from thingtank.tank.errors import NoSuchDevice
from thingtank.tank.events import RequestServed
from thingtank.tank.request_log import DOORS
from thingtank.tank.tank import Tank
from thingtank.web.workbench.request_commands import command_of

_CHANNEL_PATH = re.compile(r"/datastreams/(?P<name>[^/?]+?)(?:\.(?:json|xml|csv))?(?:[/?]|$)")
_FEED_PATH = re.compile(r"/feeds/\d+")
_PATH_NAMES = {
    "PUBLISH": "Topic",
    "SUBSCRIBE": "Topic",
    "CONNECT": "Device",
    "HELLO": "Device",
    "CALL": "Procedure",
    "emit": "Event",
    "frame": "Frame",
}
_WITH_FIELDS = frozenset({"mqtt", "skynet_mqtt", "wamp"})
_FAILED = 500  # and above: whose fault it was


class RequestRow(msgspec.Struct, frozen=True):
    """A row of the request log, with its details.

    Attributes:
        id: tells rows apart when some come twice.
        feed_id, device: which device it is about; its title, or its number where it is gone.
        status: as HTTP has it; `outcome` is the answer in the protocol's own words.
        kind: `good`, `refused` or `failed`.
        what: `feed`, `channel temperature`, or the path where it is neither.
        at_ms: milliseconds since the epoch, UTC.
        path_name: what the path is called at its door.
        fields: headers, or what a packet says; `fields_name` which of these.
        command: for a terminal, that asks the same again; blank where there is none.
    """

    id: str
    feed_id: int
    device: str
    status: int
    outcome: str
    kind: str
    method: str
    what: str
    at_ms: int
    door: str
    path: str
    path_name: str
    duration_ms: float
    reason: str
    who: str
    address: str
    user_agent: str
    fields: tuple[tuple[str, str], ...]
    fields_name: str
    request_body: str
    response_body: str
    command: str


def request_row(tank: Tank, served: RequestServed) -> RequestRow:
    """One row."""
    asked = served.asked
    return RequestRow(
        id=f"{served.at_us}-{served.duration_us}-{asked.device_id}",
        feed_id=asked.device_id,
        device=_title_of(tank, asked.device_id),
        status=served.status,
        outcome=served.outcome or _phrase(served.status),
        kind=_kind(served),
        method=asked.method,
        what=what_of(asked.path),
        at_ms=served.at_us // 1000,
        door=door_words(asked.door),
        path=asked.path,
        path_name=_PATH_NAMES.get(asked.method, "Path"),
        duration_ms=served.duration_us / 1000,
        reason=served.reason,
        who=who_of(tank, served),
        address=asked.address,
        user_agent=asked.user_agent.decode("utf-8", "replace"),
        fields=asked.fields,
        fields_name="Fields" if asked.door in _WITH_FIELDS else "Headers",
        request_body=served.request_body.decode("utf-8", "replace"),
        response_body=served.response_body.decode("utf-8", "replace"),
        command=command_of(served),
    )


def door_words(door: str) -> str:
    """A door's name for people."""
    return DOORS.get(door, door.replace("_", " "))


def who_of(tank: Tank, served: RequestServed) -> str:
    """Who has asked, for people: for the device's owner, who is not told of others' keys."""
    caller = served.caller
    if caller is None:
        return "somebody unknown"
    if caller.is_operator:
        return "the operator"
    account, key = caller.account, caller.key
    if account is None:
        return "anonymous"
    if key is None:
        return f"account {account.login}"
    owner_id = _owner_of(tank, served.device_id)
    if is_others_key(caller, owner_id):
        return named(caller, owner_id)
    # A device that came in by what is its own has a key that is stored nowhere.
    return f"key “{key.label}”" if key.key_id else f"device {key.label}"


def what_of(path: str) -> str:
    """What a request was about, for people: a channel, the feed, or else its path."""
    if match := _CHANNEL_PATH.search(path):
        return f"channel {unquote(match['name'])}"
    return "feed" if _FEED_PATH.search(path) else path


def _owner_of(tank: Tank, device_id: int) -> int | None:
    try:
        return tank.directory.get_device(device_id).account_id
    except NoSuchDevice:
        return None


def _title_of(tank: Tank, device_id: int) -> str:
    try:
        return tank.directory.get_device(device_id).title
    except NoSuchDevice:
        return f"feed {device_id}"


def _kind(served: RequestServed) -> str:
    if not served.is_refused:
        return "good"
    return "failed" if served.status >= _FAILED else "refused"


def _phrase(status: int) -> str:
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)
