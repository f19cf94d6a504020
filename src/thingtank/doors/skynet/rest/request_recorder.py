"""Tells the request log what was asked of a device and what was answered."""

from thingtank.doors.skynet.rest.replies import Reply
from thingtank.doors.skynet.rest.requests import Reading, Request
from thingtank.net.blotting import shown_body, shown_headers, shown_path
from thingtank.net.http_request import RequestHead
from thingtank.protocols.skynet.rest_paths import RestPath
from thingtank.tank.events import Asked, RequestServed
from thingtank.tank.request_log import BLOT
from thingtank.tank.tank import Tank

DOOR = "skynet_http"
USER_AGENT_BYTES_MAX = 200


class RequestRecorder:
    """Tells of requests that touch a device."""

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
        """Tell of one request, after it was answered.

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
        self._tank.request_log.note(
            RequestServed(
                self._tank.clock.now_us(),
                asked,
                reply.status,
                duration_us,
                reason,
                b"" if request is None else shown_body(request.sent),
                shown_body(reply.body),
                None if request is None else request.party.caller,
            )
        )

    def _touched_id(self, reading: Reading, request: Request | None) -> int:
        party = None if request is None else request.party
        uuid = reading.path.uuid
        credentials = reading.credentials
        if not uuid and credentials is not None and (party is None or party.device is None):
            uuid = credentials.uuid  # who it says that it is, and was found not to be
        if uuid:
            device = self._tank.directory.find_device_by_uuid(uuid)
            return 0 if device is None else device.device_id
        return 0 if party is None else party.device_id


def _asked(device_id: int, head: RequestHead, path: RestPath) -> Asked:
    user_agent = head.headers.get(b"user-agent", b"")[:USER_AGENT_BYTES_MAX]
    raw_path = head.raw_path
    if "token" in path.names:  # the last step
        raw_path = f"{raw_path.rstrip('/').rpartition('/')[0]}/{BLOT}"
    shown, fields = shown_path(raw_path, head.query), shown_headers(head.headers)
    return Asked(device_id, DOOR, head.method, shown, head.address, user_agent, fields)
