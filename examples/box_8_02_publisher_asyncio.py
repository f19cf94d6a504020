"""Box 8.2 in Python 3: a WAMP component that publishes the time to `test-topic` every second.

Uses Autobahn with asyncio; box_8_02_publisher.py is the same with Twisted.

    pip install autobahn
    python box_8_02_publisher_asyncio.py [ws://127.0.0.1:8080/ws]

Ctrl-C ends it. The address may also come from WAMP_URL in the environment.
"""

import asyncio
import datetime
import os
import sys

from autobahn.asyncio.wamp import ApplicationRunner, ApplicationSession


def make_message():
    """What is published: the local date and time."""
    now = datetime.datetime.now().astimezone()
    return f"Message at time-stamp: {now:%Y-%m-%d %H:%M:%S}"


class Component(ApplicationSession):
    """Publishes from when it has joined its realm until it leaves it."""

    def onJoin(self, details):
        """Begin."""
        print(f"Joined {details.realm}; publishing every second", flush=True)
        self.publish_time()

    def publish_time(self):
        """Publish, and a second later again."""
        if self.is_attached():
            self.publish("test-topic", make_message())
            asyncio.get_running_loop().call_later(1, self.publish_time)


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
