"""Tells the request log what was asked of a device and what was answered."""

from collections.abc import Callable, Mapping

from thingtank.doors.xively.exchange import Exchange
from thingtank.doors.xively.responses import Reply
from thingtank.net.blotting import shown_body, shown_headers, shown_path
from thingtank.net.http_request import RequestHead
from thingtank.protocols.xively.paths import OneFeedPath, XivelyPath
from thingtank.tank.events import Asked, RequestServed
from thingtank.tank.tank import Tank

USER_AGENT_BYTES_MAX = 200


class DoorWords:
    """What another protocol calls what comes to the HTTP API through its door.

    Attributes:
        methods: its words for HTTP's methods, where it has any.
        outcome_of: its words for a status; None where it has none.
    """

    def __init__(
        self,
        methods: Mapping[str, str] | None = None,
        outcome_of: Callable[[str, int], str] | None = None,
    ) -> None:
        self.methods = methods or {}
        self.outcome_of = outcome_of


class RequestRecorder:
    """Tells of requests that name a device."""

    def __init__(self, tank: Tank, door: str, words: DoorWords | None = None) -> None:
        self._tank = tank
        self._door = door
        self._words = words or DoorWords()

    def asked(self, path: XivelyPath | None, head: RequestHead) -> Asked | None:
        """What a head says of a device, as it is shown; None when it names none."""
        if not isinstance(path, OneFeedPath):
            return None
        return Asked(
            path.feed_id,
            self._door,
            self._words.methods.get(head.method, head.method),
            shown_path(head.raw_path, head.query),
            head.address,
            head.headers.get(b"user-agent", b"")[:USER_AGENT_BYTES_MAX],
            shown_headers(head.headers),
        )

    def record(self, exchange: Exchange, reply: Reply, duration_us: int) -> None:
        """Tell of one request, after it was answered."""
        asked = exchange.asked or self.asked(exchange.path, exchange.head)
        if asked is None:
            return
        outcome_of = self._words.outcome_of
        self._tank.request_log.note(
            RequestServed(
                self._tank.clock.now_us(),
                asked,
                reply.status,
                duration_us,
                exchange.reason,
                shown_body(exchange.body),
                shown_body(reply.body),
                exchange.caller,
                outcome_of(asked.method, reply.status) if outcome_of is not None else "",
            )
        )
