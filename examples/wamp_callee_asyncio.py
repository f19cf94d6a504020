"""A WAMP callee: it registers a procedure that averages numbers, for wamp_caller_asyncio.py.

Uses Autobahn with asyncio; wamp_callee.py is the same with Twisted.

    pip install autobahn
    python wamp_callee_asyncio.py [ws://127.0.0.1:8080/ws]

Ctrl-C ends it. The address may also come from WAMP_URL in the environment.
"""

import os
import sys

from autobahn.asyncio.wamp import ApplicationRunner, ApplicationSession
from autobahn.wamp.exception import ApplicationError


def average(*values):
    """The mean of some numbers; an error that the caller understands where there are none."""
    if not values:
        raise ApplicationError("com.example.error.no_values", "nothing to average")
    return sum(values) / len(values)


class Component(ApplicationSession):
    """Registers the procedure when it has joined its realm."""

    async def onJoin(self, details):
        """Register it."""
        await self.register(average, "com.example.average")
        print("Registered com.example.average", flush=True)


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
