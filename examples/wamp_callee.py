"""A WAMP callee: it registers a procedure that averages numbers, for wamp_caller.py.

Uses Autobahn with Twisted; wamp_callee_asyncio.py does without Twisted.

    pip install "autobahn[twisted]"
    python wamp_callee.py [ws://127.0.0.1:8080/ws]

Ctrl-C ends it. The address may also come from WAMP_URL in the environment.
"""

import os
import sys

from autobahn.twisted.wamp import ApplicationRunner, ApplicationSession
from autobahn.wamp.exception import ApplicationError
from twisted.internet import reactor
from twisted.internet.defer import inlineCallbacks


def average(*values):
    """The mean of some numbers; an error that the caller understands where there are none."""
    if not values:
        raise ApplicationError("com.example.error.no_values", "nothing to average")
    return sum(values) / len(values)


class Component(ApplicationSession):
    """Registers the procedure when it has joined its realm."""

    @inlineCallbacks
    def onJoin(self, details):
        """Register it."""
        yield self.register(average, "com.example.average")
        print("Registered com.example.average", flush=True)


def main():
    """Connect, and connect again when the connection is lost."""
    default = os.environ.get("WAMP_URL", "ws://127.0.0.1:8080/ws")
    url = sys.argv[1] if len(sys.argv) > 1 else default
    runner = ApplicationRunner(url, "realm1")
    runner.run(Component, start_reactor=False, auto_reconnect=True)
    reactor.run()


if __name__ == "__main__":
    main()
