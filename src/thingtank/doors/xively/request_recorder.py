"""Tells the bus what was asked of a device and what was answered: the workbench's request log."""

from urllib.parse import unquote_plus

from thingtank.doors.xively.exchange import Exchange
from thingtank.doors.xively.responses import Reply
from thingtank.protocols.xively.paths import OneFeedPath
from thingtank.tank.errors import NoSuchDevice
from thingtank.tank.events import RequestServed
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

    def record(self, exchange: Exchange, reply: Reply, duration_us: int) -> None:
        """Announce one request, after it was answered."""
        path = exchange.path
        if not isinstance(path, OneFeedPath):
            return
        feed_id = path.feed_id
        if reply.status >= _REFUSED and not self._exists(feed_id):
            return
        self._tank.bus.publish(
            RequestServed(
                at_us=self._tank.clock.now_us(),
                device_id=feed_id,
                door=self._door,
                method=exchange.head.method,
                path=_shown_path(exchange),
                status=reply.status,
                duration_us=duration_us,
                reason=exchange.reason,
                address=exchange.head.address,
                user_agent=exchange.head.headers.get(b"user-agent", b"")[:USER_AGENT_BYTES_MAX],
                request_body=exchange.body[:BODY_BYTES_MAX],
                response_body=reply.body[:BODY_BYTES_MAX],
            )
        )

    def _exists(self, feed_id: int) -> bool:
        try:
            self._tank.directory.get_device(feed_id)
        except NoSuchDevice:
            return False
        return True


def _shown_path(exchange: Exchange) -> str:
    path, query = exchange.head.raw_path[:PATH_CHARS_MAX], exchange.head.query
    if not query:
        return path
    return f"{path}?{'&'.join(map(_blotted, query[:512].decode('latin-1').split('&')))}"


def _blotted(parameter: str) -> str:
    """A query's parameter, without its value where that is a key; names may be percent-encoded."""
    name = parameter.partition("=")[0]
    return f"{name}=…" if unquote_plus(name) in _SECRET_NAMES else parameter
