"""Tells the request log what was asked of a device by the REST API, and what was answered."""

import time
from typing import Any

from django.http import HttpRequest
from django.http.request import RawPostDataException, UnreadablePostError

from thingtank.net.blotting import shown_body, shown_headers, shown_path
from thingtank.tank.access import Caller, named
from thingtank.tank.device_names import find_device_named
from thingtank.tank.events import Asked, RequestServed
from thingtank.tank.tank import Tank
from thingtank.tank.things import Device
from thingtank.web import tank_access
from thingtank.web.api.visible import may_know

DOOR = "api"
USER_AGENT_BYTES_MAX = 200


def keep_body(request: HttpRequest) -> None:
    """Have a request's body kept when it is read, else there is nothing left of it to show."""
    _sent(request)


def note(
    request: HttpRequest,
    device_name: str,
    caller: Caller | None,
    answer: Any,
    reason: str,
    started_ns: int,
) -> None:
    """Tell of one request that was answered, from a page's thread; nobody waits for it.

    Args:
        device_name: as the path has it; what is not there is not noted.
        caller: None for nobody who is known.
        reason: why it was refused; blank when it was not.
    """
    tank = tank_access.tank()
    device = find_device_named(tank.directory, device_name)
    if device is None:
        return
    served = RequestServed(
        tank.clock.now_us(),
        _asked(request, device),
        answer.status_code,
        (time.perf_counter_ns() - started_ns) // 1000,
        reason_for_owner(caller, device, reason),
        shown_body(_sent(request)),
        shown_body(answer.content),
        caller,
    )
    tank_access.tell(_note, tank, served)


def _note(tank: Tank, served: RequestServed) -> None:
    tank.request_log.note(served)


def _asked(request: HttpRequest, device: Device) -> Asked:
    meta = request.META
    headers = {
        name.lower().encode("latin-1", "replace"): value.encode("latin-1", "replace")
        for name, value in request.headers.items()
    }
    query = meta.get("QUERY_STRING", "").encode("latin-1", "replace")
    return Asked(
        device.device_id,
        DOOR,
        request.method or "",
        shown_path(request.path, query),
        meta.get("REMOTE_ADDR") or "",
        headers.get(b"user-agent", b"")[:USER_AGENT_BYTES_MAX],
        shown_headers(headers),
    )


def _sent(request: HttpRequest) -> bytes:
    try:
        return request.body
    except (RawPostDataException, UnreadablePostError):
        return b""


def reason_for_owner(caller: Caller | None, device: Device, reason: str) -> str:
    """The API tells who may know nothing of a device that there is none; here is why."""
    if not reason or caller is None or caller.account is None or may_know(caller, device):
        return reason
    return f"{named(caller, device.account_id)} may do nothing with this device: {reason}"
