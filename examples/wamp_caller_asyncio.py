"""A WAMP caller: it calls the procedure of wamp_callee_asyncio.py, and prints what comes back.

Uses Autobahn with asyncio; wamp_caller.py is the same with Twisted.

    pip install autobahn
    python wamp_caller_asyncio.py [ws://127.0.0.1:8080/ws]

The address may also come from WAMP_URL in the environment.
"""

import asyncio
import os
import sys

from autobahn.asyncio.wamp import ApplicationRunner, ApplicationSession
from autobahn.wamp.exception import ApplicationError


class Component(ApplicationSession):
    """Calls when it has joined its realm, and leaves."""

    async def onJoin(self, details):
        """Call with some temperatures, and then with none."""
        temperatures = [20.5, 21.5, 24]
        try:
            mean = await self.call("com.example.average", *temperatures)
            print(f"The average of {temperatures} is {mean}", flush=True)
            await self.call("com.example.average")
        except ApplicationError as error:
            print(f"The call was refused: {error.error_message()}", flush=True)
        self.leave()

    def onDisconnect(self):
        """End the program with the session."""
        asyncio.get_running_loop().stop()


def main():
    """Connect."""
    default = os.environ.get("WAMP_URL", "ws://127.0.0.1:8080/ws")
    url = sys.argv[1] if len(sys.argv) > 1 else default
    try:
        ApplicationRunner(url, "realm1").run(Component, log_level="error")
    except OSError as error:
        sys.exit(f"No router at {url} ({error}); to start one: thingtank serve")


if __name__ == "__main__":
    main()
