"""Box 8.3 in Python 3: a WAMP component that prints what is published to `test-topic`.

Uses Autobahn with asyncio; box_8_03_subscriber.py is the same with Twisted.
In the book's print the lines that subscribe have slipped into the function that handles an event,
where they are never reached; here they stand after it.

    pip install autobahn
    python box_8_03_subscriber_asyncio.py [ws://127.0.0.1:8080/ws]

Ctrl-C ends it. The address may also come from WAMP_URL in the environment.
"""

import os
import sys

from autobahn.asyncio.wamp import ApplicationRunner, ApplicationSession


class Component(ApplicationSession):
    """Subscribes when it has joined its realm, and counts what it receives."""

    async def onJoin(self, details):
        """Say what is to be done with an event, and subscribe."""
        self.received = 0

        def on_event(message):
            self.received += 1
            print(f"Received message: {message}", flush=True)

        await self.subscribe(on_event, "test-topic")
        print("Subscribed to test-topic", flush=True)


def main():
    """Connect, and stay until Ctrl-C."""
    default = os.environ.get("WAMP_URL", "ws://127.0.0.1:8080/ws")
    url = sys.argv[1] if len(sys.argv) > 1 else default
    try:
        ApplicationRunner(url, "realm1").run(Component, log_level="error")
    except OSError as error:
        sys.exit(f"No router at {url} ({error}); to start one: thingtank serve")


if __name__ == "__main__":
    main()
