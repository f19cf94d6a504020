"""Tells the bus what was asked of a device and what was answered: the workbench's request log."""

from urllib.parse import unquote_plus

from thingtank.doors.skynet.rest.replies import Reply
from thingtank.doors.skynet.rest.requests import Reading, Request
from thingtank.net.http_request import RequestHead
from thingtank.protocols.skynet.rest_paths import RestPath
from thingtank.tank.events import Asked, RequestServed
from thingtank.tank.tank import Tank

DOOR = "skynet_http"
BODY_BYTES_MAX = 2048
PATH_CHARS_MAX = 1024
QUERY_CHARS_MAX = 512
USER_AGENT_BYTES_MAX = 200

_SECRET_NAMES = frozenset({"token", "key"})
_BLOT = "…"


class RequestRecorder:
    """Announces requests that touched a device there is."""

    def __init__(self, tank: Tank) -> None:
        self._tank = tank

    def record(
        self,
        head: RequestHead,
        reading: Reading,
        request: Request | None,
        reply: Reply,
        duration_us: int,
        reason: str,
    ) -> None:
        """Announce one request, after it was answered.

        Args:
            request: None when it was refused before it was known who sent it.
            reason: why it was refused; blank when it was not.
        """
        device_id = reply.touched_id or self._touched_id(reading, request)
        if not device_id:
            return
        asked = reading.asked
        if asked is None or asked.device_id != device_id:
            asked = reading.asked = _asked(device_id, head, reading.path)
        sent = b"" if request is None or _has_secret(request) else request.sent
        body = b"" if _names_secret(reply.body) else reply.body
        self._tank.bus.publish(
            RequestServed(
                self._tank.clock.now_us(),
                asked,
                reply.status,
                duration_us,
                reason,
                sent[:BODY_BYTES_MAX],
                body[:BODY_BYTES_MAX],
            )
        )

    def _touched_id(self, reading: Reading, request: Request | None) -> int:
        uuid = reading.path.uuid
        if uuid:
            device = self._tank.directory.find_device_by_uuid(uuid)
            return 0 if device is None else device.device_id
        return 0 if request is None else request.party.device_id


def _has_secret(request: Request) -> bool:
    # The name of a form's field may be percent-encoded, so both are looked at.
    return "token" in request.parameters or _names_secret(request.sent)


def _names_secret(body: bytes) -> bool:
    """Whether a body has a token in it, or hooks, which have passwords of other servers."""
    return b"token" in body or b"meshblu" in body


def _asked(device_id: int, head: RequestHead, path: RestPath) -> Asked:
    user_agent = head.headers.get(b"user-agent", b"")[:USER_AGENT_BYTES_MAX]
    return Asked(device_id, DOOR, head.method, _shown_path(head, path), head.address, user_agent)


def _shown_path(head: RequestHead, path: RestPath) -> str:
    shown = head.raw_path[:PATH_CHARS_MAX]
    if "token" in path.names:  # the last step
        shown = f"{shown.rstrip('/').rpartition('/')[0]}/{_BLOT}"
    if not head.query:
        return shown
    parameters = head.query[:QUERY_CHARS_MAX].decode("latin-1").split("&")
    return f"{shown}?{'&'.join(map(_blotted, parameters))}"


def _blotted(parameter: str) -> str:
    """A query's parameter, without its value where that is a secret."""
    name = parameter.partition("=")[0]
    return f"{name}={_BLOT}" if unquote_plus(name).strip() in _SECRET_NAMES else parameter
