"""Tells the bus what was asked of a device and what was answered: the workbench's request log."""

from urllib.parse import unquote_plus

from thingtank.doors.xively.exchange import Exchange
from thingtank.doors.xively.responses import Reply
from thingtank.net.http_request import RequestHead
from thingtank.protocols.xively.paths import OneFeedPath, XivelyPath
from thingtank.tank.errors import NoSuchDevice
from thingtank.tank.events import Asked, RequestServed
from thingtank.tank.tank import Tank

BODY_BYTES_MAX = 2048
USER_AGENT_BYTES_MAX = 200
_REFUSED = 400  # and above; what was not refused has touched a device that there is
PATH_CHARS_MAX = 1024
_SECRET_NAMES = frozenset({"key", "oauth_token"})


class RequestRecorder:
    """Announces requests that touched a device there is."""

    def __init__(self, tank: Tank, door: str) -> None:
        self._tank = tank
        self._door = door

    def asked(self, path: XivelyPath | None, head: RequestHead) -> Asked | None:
        """What a head says of a device, as it is announced; None when it names none."""
        if not isinstance(path, OneFeedPath):
            return None
        user_agent = head.headers.get(b"user-agent", b"")[:USER_AGENT_BYTES_MAX]
        return Asked(
            path.feed_id, self._door, head.method, _shown_path(head), head.address, user_agent
        )

    def record(self, exchange: Exchange, reply: Reply, duration_us: int) -> None:
        """Announce one request, after it was answered."""
        asked = exchange.asked or self.asked(exchange.path, exchange.head)
        if asked is None or (reply.status >= _REFUSED and not self._exists(asked.device_id)):
            return
        self._tank.bus.publish(
            RequestServed(
                self._tank.clock.now_us(),
                asked,
                reply.status,
                duration_us,
                exchange.reason,
                exchange.body[:BODY_BYTES_MAX],
                reply.body[:BODY_BYTES_MAX],
            )
        )

    def _exists(self, feed_id: int) -> bool:
        try:
            self._tank.directory.get_device(feed_id)
        except NoSuchDevice:
            return False
        return True


def _shown_path(head: RequestHead) -> str:
    path, query = head.raw_path[:PATH_CHARS_MAX], head.query
    if not query:
        return path
    return f"{path}?{'&'.join(map(_blotted, query[:512].decode('latin-1').split('&')))}"


def _blotted(parameter: str) -> str:
    """A query's parameter, without its value where that is a key; names may be percent-encoded."""
    name = parameter.partition("=")[0]
    return f"{name}=…" if unquote_plus(name) in _SECRET_NAMES else parameter
