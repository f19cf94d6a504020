"""Requests as they are answered, for pages that show them. Lives in the loop's thread."""

from contextlib import AbstractContextManager

from thingtank.tank.events import RequestServed
from thingtank.tank.request_log import Wants
from thingtank.tank.tank import Tank
from thingtank.web.workbench.heard import Heard, among


class Hearing(Heard[RequestServed]):
    """What one page hears."""

    def __init__(self, wants: Wants) -> None:
        super().__init__()
        self._wants = wants

    def offer(self, served: RequestServed) -> None:
        """Take a request if it is wanted."""
        if self._wants(served):
            self.add(served)


class RequestTail:
    """Hands requests on to pages; as long as nobody looks it costs next to nothing."""

    def __init__(self, tank: Tank) -> None:
        self._hearings: list[Hearing] = []
        tank.bus.react(RequestServed, self._take)

    def hear(self, wants: Wants) -> AbstractContextManager[Hearing]:
        """What is answered until the end of the block."""
        return among(self._hearings, Hearing(wants))

    def _take(self, served: RequestServed) -> None:
        for hearing in self._hearings:
            hearing.offer(served)
