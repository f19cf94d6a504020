"""Box 8.2 in Python 3: a WAMP component that publishes the time to `test-topic` every second.

Uses Autobahn with Twisted, as the book does; box_8_02_publisher_asyncio.py does without Twisted.

    pip install "autobahn[twisted]"
    python box_8_02_publisher.py [ws://127.0.0.1:8080/ws]

Ctrl-C ends it. The address may also come from WAMP_URL in the environment.
"""

import datetime
import os
import sys

from autobahn.twisted.util import sleep
from autobahn.twisted.wamp import ApplicationRunner, ApplicationSession
from twisted.internet import reactor
from twisted.internet.defer import inlineCallbacks


def make_message():
    """What is published: the local date and time."""
    now = datetime.datetime.now().astimezone()
    return f"Message at time-stamp: {now:%Y-%m-%d %H:%M:%S}"


class Component(ApplicationSession):
    """Publishes from when it has joined its realm until it leaves it."""

    @inlineCallbacks
    def onJoin(self, details):
        """Publish, and wait a second, again and again."""
        print(f"Joined {details.realm}; publishing every second", flush=True)
        while self.is_attached():
            self.publish("test-topic", make_message())
            yield sleep(1)


def main():
    """Connect, and connect again when the connection is lost."""
    default = os.environ.get("WAMP_URL", "ws://127.0.0.1:8080/ws")
    url = sys.argv[1] if len(sys.argv) > 1 else default
    runner = ApplicationRunner(url, "realm1")
    runner.run(Component, start_reactor=False, auto_reconnect=True)
    reactor.run()


if __name__ == "__main__":
    main()
