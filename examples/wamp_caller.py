"""A WAMP caller: it calls the procedure of wamp_callee.py, and prints what comes back.

Uses Autobahn with Twisted; wamp_caller_asyncio.py does without Twisted.

    pip install "autobahn[twisted]"
    python wamp_caller.py [ws://127.0.0.1:8080/ws]

The address may also come from WAMP_URL in the environment.
"""

import os
import sys

from autobahn.twisted.wamp import ApplicationRunner, ApplicationSession
from autobahn.wamp.exception import ApplicationError
from twisted.internet import reactor
from twisted.internet.defer import inlineCallbacks


class Component(ApplicationSession):
    """Calls when it has joined its realm, and leaves."""

    @inlineCallbacks
    def onJoin(self, details):
        """Call with some temperatures, and then with none."""
        temperatures = [20.5, 21.5, 24]
        try:
            mean = yield self.call("com.example.average", *temperatures)
            print(f"The average of {temperatures} is {mean}", flush=True)
            yield self.call("com.example.average")
        except ApplicationError as error:
            print(f"The call was refused: {error.error_message()}", flush=True)
        self.leave()

    def onDisconnect(self):
        """End the program with the session."""
        if reactor.running:
            reactor.stop()


def main():
    """Connect; where nothing listens, say so and end."""
    default = os.environ.get("WAMP_URL", "ws://127.0.0.1:8080/ws")
    url = sys.argv[1] if len(sys.argv) > 1 else default
    connected = ApplicationRunner(url, "realm1").run(Component, start_reactor=False)
    connected.addErrback(lambda failure: (print(failure.getErrorMessage()), reactor.stop()))
    reactor.run()


if __name__ == "__main__":
    main()
