"""Who may use each operation of the REST API: a line for each in its OpenAPI document.

An operation without a line here fails the tests, so that whoever adds one says who it is for.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

# What an operation is about, which decides whether others are told that it is there.
NOTHING = "nothing"  # it lists, or makes something of the caller's own
DEVICE = "device"  # whose public ones everybody may read
TRIGGER = "trigger"  # of the device's owner, to whom else it does not exist
ACCOUNT = "account"  # a key or a delivery, to all others as if not there

# What it needs beside methods of keys.
STRANGERS = "strangers"  # nothing at all
MASTER = "master"  # a person, or a master key
SELF = "self"  # a master key, or of keys the key itself
CREATE = "create"  # `post` on all feeds
SECRET = "secret"  # MASTER, but no admin of others


class Operation(NamedTuple):
    """One line.

    Attributes:
        about: one of the four above.
        needs: methods that a key needs on the device, or one of the words above.
        body: what is sent, with the world's things as `{feed_id}`.
        query: likewise.
        done: more statuses that it has when it is allowed.
        ends: it takes its thing away, or makes it another: each who may gets one of its own.
    """

    about: str
    needs: tuple[str, ...] = ()
    body: Any = None
    query: Mapping[str, str] = MappingProxyType({})
    ends: bool = False
    done: tuple[int, ...] = ()


_KEY = {"label": "Made", "permissions": [{"access_methods": ["get"]}]}
_TRIGGER = {"kind": "gt", "threshold": "40", "webhook_url": "https://127.0.0.1:9/told"}
_AT = "2026-01-01T00:00:00Z"

OPERATIONS: dict[str, Operation] = {
    "root": Operation(NOTHING, (STRANGERS,)),
    "problems": Operation(NOTHING, (STRANGERS,)),
    "problem": Operation(NOTHING, (STRANGERS,)),
    "list_devices": Operation(NOTHING, ("get",), query={"scope": "all"}),
    "create_device": Operation(NOTHING, (CREATE,), {"title": "Made"}),
    "read_device": Operation(DEVICE, ("get",)),
    "replace_device": Operation(DEVICE, ("put",), {"title": "{title}", "private": "{private}"}),
    "change_device": Operation(DEVICE, ("put",), {"description": "Changed"}),
    "delete_device": Operation(DEVICE, ("delete",), ends=True),
    "list_datastreams": Operation(DEVICE),  # those of them that a key may read
    "create_datastream": Operation(DEVICE, ("post",), {"name": "made"}, ends=True),
    "read_datastream": Operation(DEVICE, ("get",)),
    "replace_datastream": Operation(DEVICE, ("put",), {"tags": ["a"]}),
    "change_datastream": Operation(DEVICE, ("put",), {"tags": ["b"]}),
    "delete_datastream": Operation(DEVICE, ("delete",), ends=True),
    "list_datapoints": Operation(DEVICE, ("get",)),
    "write_datapoint": Operation(DEVICE, ("post",), {"value": "22", "at": "2026-01-02T00:00:00Z"}),
    "delete_datapoints": Operation(DEVICE, ("delete",), query={"end": _AT}, ends=True),
    "read_datapoint": Operation(DEVICE, ("get",)),
    "put_datapoint": Operation(DEVICE, ("put",), {"value": "23"}),
    "delete_datapoint": Operation(DEVICE, ("delete",), ends=True),
    "write_datapoints": Operation(NOTHING, ("bulk",)),
    "list_device_events": Operation(DEVICE, ("put",)),
    "list_kept_messages": Operation(DEVICE, ("put",)),
    "send_message": Operation(NOTHING, ("message",)),
    "list_triggers": Operation(NOTHING),
    "create_trigger": Operation(
        NOTHING, ("trigger",), {"device": "{feed_id}", "datastream": "temperature", **_TRIGGER}
    ),
    "read_trigger": Operation(TRIGGER, ("get", "put")),
    "replace_trigger": Operation(TRIGGER, ("get", "put"), _TRIGGER),
    "change_trigger": Operation(TRIGGER, ("get", "put"), {"threshold": "41"}),
    "test_trigger": Operation(TRIGGER, ("get", "put")),
    "delete_trigger": Operation(TRIGGER, ("delete",), ends=True),
    "list_deliveries": Operation(NOTHING, (MASTER,)),
    "read_delivery": Operation(ACCOUNT, (MASTER,)),
    "retry_delivery": Operation(ACCOUNT, (MASTER,)),
    "cancel_delivery": Operation(ACCOUNT, (MASTER,), done=(422,)),  # it may be dead by then
    "list_keys": Operation(NOTHING),
    "create_key": Operation(NOTHING, (MASTER,), _KEY),
    "read_key": Operation(ACCOUNT, (SELF,)),
    "replace_key": Operation(ACCOUNT, (SELF, MASTER), _KEY),
    "change_key": Operation(ACCOUNT, (SELF, MASTER), {"label": "Changed"}),
    "regenerate_key": Operation(ACCOUNT, (SELF, SECRET), ends=True),
    "delete_key": Operation(ACCOUNT, (SELF, MASTER), ends=True),
}
